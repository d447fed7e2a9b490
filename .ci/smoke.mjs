// What somebody who follows the README sees first: the pages, an answer, that all is well, and an account of their own.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

const url = process.env.EMPULSE_URL;
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

for (const [path, title] of [['/', 'Empulse'], ['/graphql', 'Console · Empulse'], ['/dev/mail', 'Mail · Empulse']]) {
  const page = await fetch(url + path, { headers: { accept: browser } });
  assert.equal(page.status, 200, path);
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8', path);
  assert.match(page.headers.get('content-security-policy'), /^default-src 'none'; style-src 'sha256-/, path);
  assert.ok((await page.text()).includes(`<title>${title}</title>`), path);
  console.log(`${path} is a page`);
}

const ready = await fetch(`${url}/health/ready`);
assert.equal(ready.status, 200);
assert.equal((await ready.json()).status, 'up');

assert.deepEqual(await ask('{ __typename }'), { __typename: 'Query' });
const { tracks } = await ask('{ tracks(first: 2) { nodes { title artist { name } } } }');
assert.equal(tracks.nodes.length, 2);
console.log(`/graphql answers: ${tracks.nodes.map((track) => `${track.title} by ${track.artist.name}`).join(', ')}`);

await signUp();
await puzzle();

/** The README's way from a registration to a password that was forgotten. */
async function signUp() {
  const email = 'kim@example.org';
  const [first, second, third] = ['kettle-orbit-velvet-9', 'lantern-gravel-opera-4', 'pebble-harvest-tunnel-7'];
  const signIn = (password) => act('login', 'Login', 'credentials { accessToken refreshToken }', { email, password, delivery: 'BODY' });

  const registered = await act('register', 'Register', 'accepted', { email, password: first, displayName: 'Kim' });
  assert.deepEqual(registered, { accepted: true, errors: [] });
  assert.equal((await signIn(first)).errors[0].code, 'UNVERIFIED');
  await confirm(link(await mail('Confirm your e-mail address'), '/verify'));
  console.log('somebody registered, and confirmed the address without a script');

  const credentials = (await signIn(first)).credentials;
  const { me } = await ask('{ me { email status roles sessions { isCurrent } } }', {}, credentials.accessToken);
  assert.deepEqual(me, { email, status: 'ACTIVE', roles: ['LISTENER'], sessions: [{ isCurrent: true }] });
  const refreshed = await act('refreshSession', 'RefreshSession', 'credentials { accessToken refreshToken }', {
    refreshToken: credentials.refreshToken,
  });
  const next = refreshed.credentials;
  assert.notEqual(next.refreshToken, credentials.refreshToken);
  console.log('they signed in, asked as themselves, and traded the refresh token');

  const changed = await act(
    'changePassword', 'ChangePassword', 'account { updatedAt }',
    { currentPassword: first, newPassword: second }, next.accessToken,
  );
  assert.deepEqual(changed.errors, []);
  await mail('Your password was changed');
  assert.equal((await signIn(first)).errors[0].code, 'INVALID_CREDENTIALS');
  assert.ok((await signIn(second)).credentials);

  await act('requestPasswordReset', 'RequestPasswordReset', '', { email });
  const token = new URLSearchParams(new URL(link(await mail('Set a new password'), '/reset-password')).hash.slice(1)).get('token');
  const reset = await act('resetPassword', 'ResetPassword', 'changed', { token, newPassword: third });
  assert.deepEqual(reset, { changed: true, errors: [] });
  assert.equal((await signIn(second)).errors[0].code, 'INVALID_CREDENTIALS');
  assert.ok((await signIn(third)).credentials);
  // The reset ended every session.
  const late = await post('{ me { email } }', {}, next.accessToken);
  assert.equal(late.status, 401);
  console.log('they set another password, and one by mail');
}

/** Signs in after wrong passwords by the script with which `/login` solves the service's puzzle. */
async function puzzle() {
  const script = await readFile(new URL('../src/http/pages/links/puzzle.js', import.meta.url), 'utf8');
  const page = await fetch(`${url}/login`, { headers: { accept: browser } });
  assert.ok((await page.text()).includes('async function solution('), 'the page has the script');
  const mutate = async (query) => (await ask(query)).createChallenge;
  const solved = new Function('mutate', 'messages', 'Refused', `${script}; return solved;`)(mutate, String, Error);

  const [email, password] = ['kim@example.org', 'pebble-harvest-tunnel-7'];
  const signIn = (input) => act('login', 'Login', 'credentials { accessToken }', { email, delivery: 'BODY', ...input });
  for (const wrong of [1, 2, 3]) await signIn({ password: `wrong-for-the-time-${wrong}` });
  assert.equal((await signIn({ password })).errors[0].code, 'CHALLENGE_REQUIRED');
  const began = performance.now();
  const challenge = await solved();
  const took = Math.round(performance.now() - began);
  assert.ok((await signIn({ password, challenge })).credentials);
  console.log(`after three wrong passwords they signed in by a puzzle that took the page's script ${took} ms`);
}

/** Opens a mailed link and presses its button, as a browser does whose user allows no scripts. */
async function confirm(link) {
  const { pathname, search } = new URL(link);
  const page = await fetch(url + pathname + search, { headers: { accept: browser } });
  assert.equal(page.status, 200);
  const html = await page.text();
  assert.ok(!html.includes('<script'), 'it needs no script');
  const [, action] = html.match(/<form method="post" action="([^"]*)">/);
  const [, name, value] = html.match(/<input type="hidden" name="([^"]*)" value="([^"]*)"/);
  const pressed = await fetch(new URL(action, url + pathname), {
    method: 'POST',
    headers: { accept: browser, 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ [name]: value }),
    redirect: 'manual',
  });
  assert.equal(pressed.status, 303);
  const { pathname: next, search: said } = new URL(pressed.headers.get('location'));
  assert.equal(next + said, '/login?verified=true');
  const login = await fetch(url + next + said, { headers: { accept: browser } });
  assert.equal(login.status, 200);
}

/** The newest mail about something, once a job has written it, as the service's page shows it to a program. */
async function mail(subject) {
  for (const until = Date.now() + 20_000; Date.now() < until; await setTimeout(100)) {
    const { mails } = await read('/dev/mail');
    const found = mails.find((mail) => mail.subject === subject);
    if (found) return read(`/dev/mail/${found.name}`);
  }
  assert.fail(`no mail came: ${subject}`);
}

function link({ links }, path) {
  const found = links.find((link) => new URL(link).pathname === path);
  assert.ok(found, `${path} in ${links}`);
  return found;
}

async function read(path) {
  const answer = await fetch(url + path, { headers: { accept: 'application/json' } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/** What a mutation answers. */
async function act(name, type, selection, input, token) {
  const mutation = `mutation ($input: ${type}Input!) { ${name}(input: $input) { ${selection} errors { code message } } }`;
  return (await ask(mutation, { input }, token))[name];
}

async function ask(query, variables, token) {
  const answer = await post(query, variables, token);
  assert.equal(answer.status, 200);
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined);
  return data;
}

function post(query, variables, token) {
  return fetch(`${url}/graphql`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/graphql-response+json',
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
}
