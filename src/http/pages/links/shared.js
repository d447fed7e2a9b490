// What the pages behind mailed links share. Whatever comes from outside becomes text here, never markup.

const byId = (id) => document.getElementById(id);

/** Shows one of the page's sections, and takes whoever listens rather than looks there too. */
function show(id) {
  for (const section of document.querySelectorAll('main > section')) section.hidden = section.id !== id;
  byId(id).querySelector('h1').focus();
}

/** What went wrong, said for a person. */
class Refused extends Error {}

const UNREACHED = 'The service did not answer. Look at your connection, then try again.';
const UNREADABLE = 'The service answered with something that this page does not understand. Try again in a minute.';

/** Runs a mutation with its one input, if it has one, and gives its payload. Without cookies: the input says all there is to say. */
async function mutate(query, input) {
  let response;
  try {
    response = await fetch('graphql', {
      method: 'POST',
      headers: { Accept: 'application/graphql-response+json', 'Content-Type': 'application/json' },
      body: JSON.stringify({ query, variables: { input } }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: AbortSignal.timeout(40_000),
    });
  } catch {
    throw new Refused(UNREACHED);
  }
  const answer = await response.json().catch(() => null);
  const [error] = answer?.errors ?? [];
  if (error) {
    const id = error.extensions?.correlationId;
    throw new Refused(id ? `${error.message} If it stays so, report it with this number: ${id}` : error.message);
  }
  const [payload] = Object.values(answer?.data ?? {});
  if (!payload) throw new Refused(UNREADABLE);
  return payload;
}

/** Does what a form is for, once at a time, and says in it what went wrong. */
function onSubmit(form, work) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (form.getAttribute('aria-busy') === 'true') return;
    form.setAttribute('aria-busy', 'true');
    say('');
    try {
      await work();
    } catch (error) {
      say(error instanceof Refused ? error.message : UNREADABLE);
    } finally {
      form.removeAttribute('aria-busy');
    }
  });
}

/** Says what is wrong, and with which of the fields, where it is one of them. */
function say(text, field) {
  byId('said').textContent = text;
  for (const input of document.querySelectorAll('input[aria-invalid]')) input.removeAttribute('aria-invalid');
  if (!field) return;
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

const messages = (errors) => errors.map(({ message }) => message).join(' ');
const has = (errors, code) => errors.some((error) => error.code === code);
