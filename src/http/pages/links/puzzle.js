// Solves the service's own puzzle (ALTCHA's proof of work) as its widget would: which counter, put behind the nonce,
// derives a key that begins as the puzzle says. Browsers derive keys in native code; some are under way at a time.

const CHALLENGE = `mutation CreateChallenge {
  createChallenge { challenge { provider parameters } errors { code message } }
}`;
const AT_ONCE = 8;

const bytes = (hex) => Uint8Array.from(hex.match(/../g), (byte) => parseInt(byte, 16));
const hex = (bytes) => Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');

async function derive({ nonce, salt, cost, keyLength }, counter) {
  const password = new Uint8Array(nonce.length + 4);
  password.set(nonce);
  new DataView(password.buffer).setUint32(nonce.length, counter);
  const key = await crypto.subtle.importKey('raw', password, 'PBKDF2', false, ['deriveBits']);
  const how = { name: 'PBKDF2', hash: 'SHA-256', salt, iterations: cost };
  return hex(await crypto.subtle.deriveBits(how, key, keyLength * 8));
}

async function solution(parameters) {
  const puzzle = { ...parameters, nonce: bytes(parameters.nonce), salt: bytes(parameters.salt) };
  for (let first = 0; ; first += AT_ONCE) {
    const counters = Array.from({ length: AT_ONCE }, (_, behind) => first + behind);
    const keys = await Promise.all(counters.map((counter) => derive(puzzle, counter)));
    const found = keys.findIndex((key) => key.startsWith(parameters.keyPrefix));
    if (found >= 0) return { counter: counters[found], derivedKey: keys[found] };
  }
}

/** What shows that a puzzle was solved, for an input's `challenge`. */
async function solved() {
  const { challenge, errors } = await mutate(CHALLENGE);
  if (errors.length) throw new Refused(messages(errors));
  if (challenge.provider !== 'ALTCHA' || !globalThis.crypto?.subtle) {
    throw new Refused('After so many tries the service wants a puzzle solved, which this page can’t do here. Set a new password by mail, use a client, or wait an hour.');
  }
  const answer = { challenge: challenge.parameters, solution: await solution(challenge.parameters.parameters) };
  return { response: btoa(JSON.stringify(answer)) };
}
