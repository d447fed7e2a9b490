// What somebody who follows the README sees first: the pages, an answer, and that all is well.

import assert from 'node:assert/strict';

const url = process.env.EMPULSE_URL;
const browser = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

for (const [path, title] of [['/', 'Empulse'], ['/graphql', 'Console · Empulse']]) {
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

async function ask(query) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json' },
    body: JSON.stringify({ query }),
  });
  assert.equal(answer.status, 200);
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined);
  return data;
}
