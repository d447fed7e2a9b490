// Whoever is not signed in comes back here from the page that signs them in, in this tab; the token waits in it.
const WAITING = 'empulse.export.token';
const stored = (key) => {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
};

/** By the access token that the sign-in page left in this tab; else by the cookie, which wants a CSRF token. */
async function credentials() {
  const access = JSON.parse(stored('empulse.console.token') ?? 'null');
  if (access) return { Authorization: `Bearer ${access}` };
  const answer = await fetch('csrf', { cache: 'no-store', signal: AbortSignal.timeout(40_000) });
  return answer.ok ? { 'X-CSRF-Token': (await answer.json()).token } : null;
}

async function ask() {
  const shown = await credentials();
  if (!shown) return { status: 401 };
  return fetch('export', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...shown },
    body: JSON.stringify({ token }),
    cache: 'no-store',
    redirect: 'error',
    signal: AbortSignal.timeout(40_000),
  });
}

function signInFirst() {
  try {
    sessionStorage.setItem(WAITING, token);
  } catch {
    return say('This browser keeps nothing for a tab, so it can’t be told who is signed in. Use a client.');
  }
  show('out');
}

onSubmit(byId('form'), async () => {
  const response = await ask().catch(() => {
    throw new Refused(UNREACHED);
  });
  if (response.status === 401) return signInFirst();
  if (response.status === 404) return show('lost');
  const { url, errors } = await response.json();
  if (!url) return say(errors?.[0]?.message ?? UNREADABLE);
  location.assign(url);
  show('done');
});

const waiting = stored(WAITING);
if (waiting) {
  sessionStorage.removeItem(WAITING);
  token ??= waiting;
  show('ask');
}

// Said at once, rather than after the button: whether the service answers at all is told by that.
if (token) credentials().then((shown) => shown ?? signInFirst(), () => null);
