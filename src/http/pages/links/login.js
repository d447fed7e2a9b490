const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { credentials { accessToken } errors { code message } }
}`;
const RESEND = `mutation ResendVerification($input: ResendVerificationInput!) {
  resendVerification(input: $input) { errors { code message } }
}`;
const FORGOTTEN = `mutation RequestPasswordReset($input: RequestPasswordResetInput!) {
  requestPasswordReset(input: $input) { errors { code message } }
}`;

const form = byId('form');
const email = byId('email');
const password = byId('password');
const resend = byId('resend');

/** Where the console looks for a token. A browser may refuse storage; then it has to be signed in there. */
function handOver(accessToken) {
  try {
    sessionStorage.setItem('empulse.console.token', JSON.stringify(accessToken));
    return true;
  } catch {
    return false;
  }
}

/** Has a mail sent to the address in the form. The answer is the same for one that nobody has registered. */
async function mail(mutation) {
  byId('sent').textContent = '';
  say('');
  if (!email.value.trim()) return say('The e-mail address is missing.', email);
  try {
    const { errors } = await mutate(mutation, { email: email.value.trim() });
    if (errors.length) return say(messages(errors), email);
    byId('sent').textContent = 'If there is an account with this address, a mail is on its way.';
  } catch (error) {
    say(error instanceof Refused ? error.message : UNREADABLE);
  }
}

resend.addEventListener('click', () => mail(RESEND));
byId('forgotten').addEventListener('click', () => mail(FORGOTTEN));

onSubmit(form, async () => {
  byId('sent').textContent = '';
  resend.hidden = true;
  if (!email.value.trim()) return say('The e-mail address is missing.', email);
  if (!password.value) return say('The password is missing.', password);
  const input = { email: email.value.trim(), password: password.value, delivery: 'BODY' };
  const { credentials, errors } = await mutate(LOGIN, input);
  if (has(errors, 'CHALLENGE_REQUIRED')) {
    return say('After so many tries the service wants a puzzle solved, which this page can’t do. Wait a while, or use a client.');
  }
  if (errors.length) {
    resend.hidden = !has(errors, 'UNVERIFIED');
    return say(messages(errors), has(errors, 'INVALID_CREDENTIALS') ? password : undefined);
  }
  form.reset();
  if (!credentials) return say(UNREADABLE);
  if (!handOver(credentials.accessToken)) return say('You could sign in, but this browser keeps nothing for the console.');
  show('done');
});

form.hidden = false;
