// Debian's Chromium, spoken to by its DevTools protocol.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import WebSocket from 'ws';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

export class Browser {
  #process;
  #socket;
  #session;
  #asked = new Map();
  #listeners = [];

  /** None where there is no Chromium. */
  static async open(folder) {
    if (!existsSync(CHROMIUM)) return undefined;
    const browser = new Browser();
    browser.#process = spawn(CHROMIUM, [
      '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--mute-audio',
      '--autoplay-policy=no-user-gesture-required', '--remote-debugging-port=0',
      `--user-data-dir=${join(folder, 'chromium')}`, 'about:blank',
    ], { stdio: ['ignore', 'ignore', 'pipe'] });
    const address = await new Promise((resolve, reject) => {
      createInterface({ input: browser.#process.stderr }).on('line', (line) => {
        const [, found] = line.match(/^DevTools listening on (ws:.*)$/) ?? [];
        if (found) resolve(found);
      });
      browser.#process.on('error', reject);
      browser.#process.on('exit', () => reject(new Error('Chromium ended before it was ready')));
    });
    browser.#socket = new WebSocket(address, { perMessageDeflate: false });
    await once(browser.#socket, 'open');
    browser.#socket.on('message', (message) => browser.#hear(JSON.parse(message)));
    const { targetId } = await browser.ask('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await browser.ask('Target.attachToTarget', { targetId, flatten: true });
    browser.#session = sessionId;
    for (const domain of ['Page', 'Network', 'Runtime']) await browser.ask(`${domain}.enable`);
    return browser;
  }

  ask(method, params = {}) {
    const id = this.#asked.size + 1;
    const answered = new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject, method }));
    this.#socket.send(JSON.stringify({ id, method, params, sessionId: this.#session }));
    return answered;
  }

  /** Calls back at each event of this name. */
  on(method, listener) {
    this.#listeners.push({ method, listener });
  }

  #hear({ id, method, params, result, error }) {
    if (id === undefined) {
      for (const known of this.#listeners) if (known.method === method) known.listener(params);
      return;
    }
    const asked = this.#asked.get(id);
    if (error) asked.reject(new Error(`${asked.method}: ${error.message}`));
    else asked.resolve(result);
  }

  async visit(page) {
    const loaded = new Promise((resolve) => this.on('Page.loadEventFired', resolve));
    // A page of the service lets in neither media nor scripts of ours.
    await this.ask('Page.setBypassCSP', { enabled: true });
    await this.ask('Page.navigate', { url: page });
    await loaded;
  }

  /** What a function gives that runs in the page. */
  async run(work, ...values) {
    const expression = `(${work})(${values.map((value) => JSON.stringify(value)).join(', ')})`;
    const { result, exceptionDetails } = await this.ask('Runtime.evaluate', {
      expression, awaitPromise: true, returnByValue: true,
    });
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }

  async close() {
    const ended = once(this.#process, 'exit');
    this.#socket.close();
    this.#process.kill();
    await ended;
  }
}
