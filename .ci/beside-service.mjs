// Starts the service as the README does, runs a command beside it with its address in EMPULSE_URL, and stops it as an
// orchestrator would. Fails if the command does, and if the service does not end by itself, with 0, soon after SIGTERM.
//
//   node .ci/beside-service.mjs [--administrator <email>] <command> [argument…]
//
// With --administrator that account is made before, and the command finds its address and password in EMPULSE_ADMINISTRATOR
// and EMPULSE_PASSWORD.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';

/** A first build included. */
const START_LIMIT = 20 * 60_000;
const STOP_LIMIT = 10_000;

const asked = process.argv.slice(2);
const administrator = asked[0] === '--administrator' ? asked.splice(0, 2)[1] : undefined;
const [command, ...parameters] = asked;
const folder = await mkdtemp(join(tmpdir(), 'empulse-'));
const environment = { ...bare(process.env), EMPULSE_DATA_DIR: join(folder, 'data'), EMPULSE_LISTEN: '127.0.0.1:0' };
const known = administrator === undefined ? {} : await administering(administrator);
const service = spawn('cargo', ['run', '--locked', '--quiet'], { env: environment, stdio: ['ignore', 'inherit', 'pipe'] });
const ended = once(service, 'exit').then(([code, signal]) => code ?? signal);

try {
  const url = await within(START_LIMIT, 'start', ready());
  console.log(`the service is ready at ${url}`);
  const beside = spawn(command, parameters, { env: { ...process.env, ...known, EMPULSE_URL: url }, stdio: 'inherit' });
  const [code] = await once(beside, 'exit');
  if (code !== 0) throw new Error(`${command} ended with ${code}`);

  const stopped = performance.now();
  service.kill('SIGTERM');
  const last = await within(STOP_LIMIT, 'stop', ended);
  if (last !== 0) throw new Error(`the service ended with ${last}`);
  console.log(`the service stopped ${Math.round(performance.now() - stopped)} ms after SIGTERM, with 0`);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  service.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
}

/** Makes an administrator in the folder in which the service is to start; how to sign in as them. */
async function administering(email) {
  const password = randomUUID();
  const made = spawn('cargo', ['run', '--locked', '--quiet', '--', 'admin', 'create', '--email', email], {
    env: environment, stdio: ['pipe', 'inherit', 'inherit'],
  });
  made.stdin.end(`${password}\n`);
  const [code] = await once(made, 'exit');
  if (code !== 0) throw new Error(`no administrator was made: the command ended with ${code}`);
  return { EMPULSE_ADMINISTRATOR: email, EMPULSE_PASSWORD: password };
}

/** Without anything that would make it another service than the one that starts with nothing set. */
function bare(environment) {
  const ours = (name) => /^(EMPULSE_|OTEL_|DATABASE_|REDIS_|SMTP_)/.test(name) || name === 'RUST_LOG';
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !ours(name)));
}

/** Its address, once its log has named it and has said that it is ready. Goes on reading, or the service would be held. */
function ready() {
  return new Promise((resolve, reject) => {
    let url;
    createInterface({ input: service.stderr }).on('line', (line) => {
      const said = record(line);
      if (said === undefined || said.level === 'ERROR') console.error(line);
      if (said?.message === 'listening') url = said.url.replace(/\/$/, '');
      if (said?.message === 'ready') resolve(url);
    });
    ended.then((last) => reject(new Error(`the service ended with ${last} before it was ready`)), reject);
  });
}

/** A line of the log; nothing where it is not the service that speaks, but cargo. */
function record(line) {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

async function within(limit, what, promised) {
  const late = Symbol('late');
  const result = await Promise.race([promised, setTimeout(limit, late, { ref: false })]);
  if (result === late) throw new Error(`the service did not ${what} within ${limit / 1000} s`);
  return result;
}
