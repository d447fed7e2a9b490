// People of the service, as their clients sign them up and in.

import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';

const PASSWORD = 'kettle-orbit-velvet-9';

export const url = process.env.EMPULSE_URL;

/** Signs somebody up by a mail that confirms the address, gives them a role, and signs them in. Returns their access token. */
export async function somebody(email, displayName, role) {
  const registered = await act('register', 'Register', 'accepted', { email, password: PASSWORD, displayName });
  assert.equal(registered.accepted, true);
  const token = await mailed(email, 'Confirm your e-mail address');
  assert.equal((await act('verifyEmail', 'VerifyEmail', 'verified', { token })).verified, true);
  const { account } = await login(email, PASSWORD);
  const administrator = await login(process.env.EMPULSE_ADMINISTRATOR, process.env.EMPULSE_PASSWORD);
  await act(
    'updateAccountAsAdmin', 'UpdateAccountAsAdmin', 'account { roles }',
    { accountId: account.id, roles: ['LISTENER', role], reason: 'They asked for it.' }, administrator.token,
  );
  return (await login(email, PASSWORD)).token;
}

async function login(email, password) {
  const selection = 'account { id } credentials { accessToken }';
  const { account, credentials } = await act('login', 'Login', selection, { email, password, delivery: 'BODY' });
  return { account, token: credentials.accessToken };
}

/** The token of a mail, once a job has written it. */
async function mailed(to, subject) {
  for (const until = Date.now() + 20_000; Date.now() < until; await setTimeout(100)) {
    const { mails } = await read('/dev/mail');
    for (const { name } of mails.filter((mail) => mail.subject === subject)) {
      const mail = await read(`/dev/mail/${name}`);
      if (JSON.stringify(mail).includes(to)) {
        const [, token] = JSON.stringify(mail.links).match(/token=([A-Za-z0-9_-]+)/);
        return token;
      }
    }
  }
  assert.fail(`no mail came to ${to}: ${subject}`);
}

async function read(path) {
  const answer = await fetch(url + path, { headers: { accept: 'application/json' } });
  assert.equal(answer.status, 200, path);
  return answer.json();
}

/** What a mutation answers that must not find anything wrong. */
export async function act(name, type, selection, input, token) {
  const mutation = `mutation ($input: ${type}Input!) { ${name}(input: $input) { ${selection} errors { code message } } }`;
  const payload = (await ask(mutation, { input }, token))[name];
  assert.deepEqual(payload.errors, []);
  return payload;
}

export async function ask(query, variables, token) {
  const answer = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  assert.equal(errors, undefined);
  return data;
}
