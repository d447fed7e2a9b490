// Music as clients hand it in and hear it: apollo-upload-client sends it, graphql-ws follows it, a moderator publishes it,
// and Chromium plays it. What is refused is read from its answer, whatever is still on its way.

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import UploadHttpLink from 'apollo-upload-client/UploadHttpLink.mjs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { Browser } from './browser.mjs';
import { picture, sounds, wav, zeros } from './files.mjs';
import { act, ask, somebody, url } from './people.mjs';

const MINUTES = 4;
const LARGE = 300 << 20;
const TOO_LARGE = 2_200 * 2 ** 20;

const SUBMIT = gql`
  mutation ($input: SubmitTrackInput!) {
    submitTrack(input: $input) {
      track { id }
      submission { id status }
      receipt { byteSize }
      errors { code message path }
    }
  }
`;

const folder = await mkdtemp(join(tmpdir(), 'empulse-clients-'));
const artist = await somebody('ana@example.org', 'Ana', 'ARTIST');
const moderator = await somebody('mo@example.org', 'Mo', 'MODERATOR');
const artistId = (await ask('{ artist(slug: "ana") { id } }', {}, artist)).artist.id;
const live = createClient({
  url: `${url.replace('http', 'ws')}/graphql`,
  webSocketImpl: WebSocket,
  connectionParams: { Authorization: `Bearer ${artist}` },
});

try {
  const tracks = [];
  for (const { name, file } of await sounds()) {
    const { track } = await handIn(name, file, picture());
    tracks.push({ name, ...track });
  }
  console.log(`apollo-upload-client handed in ${tracks.length} files with their covers, and each was published`);

  const long = await wav(folder, MINUTES * 60);
  const { track, seen } = await handIn('long.wav', long);
  const halfway = seen.filter(({ stage, fraction }) => stage === 'MEASURING' && fraction > 0 && fraction < 1);
  assert.ok(halfway.length >= 3, `progress in the middle of a file: ${JSON.stringify(seen)}`);
  console.log(`graphql-ws told of ${MINUTES} minutes of music: ${seen.map(({ stage, fraction }) => `${stage} ${fraction.toFixed(2)}`).join(', ')}`);

  await refusals();

  const browser = await Browser.open(folder);
  if (browser) {
    try {
      await browser.visit(`${url}/graphql`);
      await plays(browser, tracks);
      await seeks(browser, track, long.size);
      await refusalsIn(browser);
    } finally {
      await browser.close();
    }
  } else {
    console.log('NOT CHECKED: whether a browser plays it. There is no Chromium at /usr/bin/chromium, nor at $CHROMIUM.');
  }
} finally {
  await live.dispose();
  await rm(folder, { recursive: true, force: true });
}

/** Hands a track in, follows it until it waits for a review, and has it published. */
async function handIn(title, upload, cover) {
  const payload = await submit({ title, audio: { upload }, cover });
  assert.deepEqual(payload.errors, [], title);
  assert.equal(payload.receipt.byteSize, upload.size, title);
  const submission = payload.submission.id;
  const seen = await followed(submission);
  assert.deepEqual(seen.at(-1), { stage: 'READY', fraction: 1 }, title);
  const decided = await act(
    'reviewSubmission', 'ReviewSubmission', 'track { id status durationMs audio { streamUrl } }',
    { submissionId: submission, decision: 'APPROVE' }, moderator,
  );
  assert.equal(decided.track.status, 'PUBLISHED', title);
  return { track: decided.track, seen };
}

async function followed(submissionId) {
  const seen = [];
  const query = 'subscription ($submissionId: ID!) { mediaProgress(submissionId: $submissionId) { stage fraction } }';
  for await (const { data, errors } of live.iterate({ query, variables: { submissionId } })) {
    assert.equal(errors, undefined);
    seen.push(data.mediaProgress);
  }
  return seen;
}

/** What apollo-upload-client brings back. */
async function submit(input, token = artist) {
  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new UploadHttpLink({
      uri: `${url}/graphql`,
      headers: { 'Apollo-Require-Preflight': 'true', ...(token && { Authorization: `Bearer ${token}` }) },
    }),
  });
  const variables = { input: { artistId, genreSlug: 'pop', isExplicit: false, ...input } };
  const { data } = await client.mutate({ mutation: SUBMIT, variables });
  return data.submitTrack;
}

/** Each is answered before its file has come, and the client has to read that while it still sends. */
async function refusals() {
  const large = await zeros(folder, LARGE);
  for (const round of [1, 2]) {
    const untitled = await submit({ title: ' ', audio: { upload: large } });
    assert.deepEqual(untitled.errors.map(({ code, path }) => [code, path]), [['REQUIRED', ['title']]], `round ${round}`);
    const silent = await submit({ title: 'Zeros', audio: { upload: large } });
    assert.deepEqual(silent.errors.map(({ code, path }) => [code, path]), [['UNSUPPORTED_MEDIA', ['audio', 'upload']]]);
  }
  await assert.rejects(submit({ title: 'Zeros', audio: { upload: large } }, null), (error) => {
    assert.equal(error.errors?.[0].extensions.code, 'UNAUTHENTICATED', `${error}: ${error.cause}`);
    return true;
  });
  const tooLarge = await zeros(folder, TOO_LARGE);
  await assert.rejects(submit({ title: 'Zeros', audio: { upload: tooLarge } }), (error) => {
    assert.match(error.bodyText ?? JSON.stringify(error.errors), /PAYLOAD_TOO_LARGE/, `${error}: ${error.cause}`);
    return true;
  });
  console.log('what is refused before its file has come is read by fetch in Node');
}

async function refusalsIn(browser) {
  const told = await browser.run(async (query, artistId, token, size) => {
    const piece = new Uint8Array(10 << 20);
    const file = new Blob(Array.from({ length: size / piece.length }, () => piece));
    const send = async (title, headers) => {
      const input = { artistId, title, genreSlug: 'pop', isExplicit: false, audio: { upload: null } };
      const form = new FormData();
      form.append('operations', JSON.stringify({ query, variables: { input } }));
      form.append('map', JSON.stringify({ 0: ['variables.input.audio.upload'] }));
      form.append('0', file);
      try {
        const answer = await fetch('/graphql', {
          method: 'POST', body: form, headers: { 'apollo-require-preflight': 'true', ...headers },
        });
        const { data, errors } = await answer.json();
        return data?.submitTrack?.errors[0].code ?? errors[0].extensions.code;
      } catch (error) {
        return String(error);
      }
    };
    const authorization = `Bearer ${token}`;
    const told = [];
    for (let round = 0; round < 2; round += 1) {
      told.push(await send(' ', { authorization }), await send('Zeros', { authorization }), await send('Zeros', {}));
    }
    return told;
  }, SUBMIT.loc.source.body, artistId, artist, LARGE);
  const expected = ['REQUIRED', 'UNSUPPORTED_MEDIA', 'UNAUTHENTICATED'];
  assert.deepEqual(told, [...expected, ...expected]);
  console.log('what is refused before its file has come is read by fetch in Chromium');
}

/** An address as it is had from here: the service says the one that it is set up with. */
function reachable(address) {
  return url + address.slice(address.indexOf('/media/'));
}

async function plays(browser, tracks) {
  for (const { name, durationMs, audio } of tracks) {
    const played = await browser.run(async (address) => {
      const audio = document.createElement('audio');
      audio.src = address;
      const failed = new Promise((_, reject) => {
        audio.onerror = () => reject(new Error(audio.error.message));
      });
      const heard = new Promise((resolve) => {
        audio.ontimeupdate = () => audio.currentTime > 0.1 && resolve();
      });
      await Promise.race([failed, audio.play().then(() => heard)]);
      audio.pause();
      return audio.duration;
    }, reachable(audio.streamUrl));
    // Where a file does not say how long it is, a browser guesses from its bit rate.
    if (!/^(aac|bare|fragments)\./.test(name)) assert.ok(Math.abs(played * 1000 - durationMs) < 100, `${name}: ${played} s, ${durationMs} ms`);
  }
  console.log(`Chromium played ${tracks.length} of them`);
}

async function seeks(browser, track, size) {
  const ranges = [];
  browser.on('Network.responseReceived', ({ response }) => {
    if (response.url.includes('/media/') && response.status === 206) ranges.push(new Headers(response.headers).get('content-range'));
  });
  const times = await browser.run(async (address) => {
    const audio = document.createElement('audio');
    audio.src = address;
    const reached = (time) => new Promise((resolve, reject) => {
      audio.onerror = () => reject(new Error(audio.error.message));
      audio.ontimeupdate = () => !audio.seeking && audio.currentTime > time && audio.currentTime < time + 5 && resolve();
    });
    const times = [];
    await audio.play();
    for (const share of [0, 0.9, 0.3, 0.6]) {
      const time = share * audio.duration;
      if (share > 0) audio.currentTime = time;
      await reached(time);
      times.push(Math.round(audio.currentTime));
    }
    audio.pause();
    return times;
  }, reachable(track.audio.streamUrl));
  assert.ok(ranges.length >= 2, `ranges: ${ranges}`);
  assert.ok(ranges.every((range) => range.endsWith(`/${size}`)), `ranges: ${ranges}`);
  assert.ok(ranges.some((range) => Number(range.match(/\d+/)[0]) > size / 2), `ranges: ${ranges}`);
  console.log(`and sought in the long one to ${times.join(', ')} s, by ${ranges.join('; ')}`);
}
