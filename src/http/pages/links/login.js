const LOGIN = `mutation Login($input: LoginInput!) {
  login(input: $input) { credentials { accessToken } twoFactorToken errors { code message } }
}`;
const COMPLETE = `mutation CompleteTwoFactor($input: CompleteTwoFactorInput!) {
  completeTwoFactor(input: $input) { credentials { accessToken } errors { code message path } }
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
const code = byId('code');
const resend = byId('resend');

/** What a sign-in goes on with whose password was right, until its code comes; null where a password is to come. */
let secondStep = null;

const LEAD = byId('lead').textContent;

/** Asks for what is to come next, and for nothing else. */
function ask(token) {
  secondStep = token;
  byId('lead').textContent = token === null ? LEAD : 'The password was right. Now the code that your authenticator shows, or one of your recovery codes.';
  byId('again').hidden = token === null;
  for (const input of [email, password]) input.closest('label').hidden = token !== null;
  byId('forgotten').hidden = token !== null;
  code.closest('label').hidden = token === null;
  code.value = '';
  (token === null ? password : code).focus();
}

/** Where the console looks for a token. A browser may refuse storage; then it has to be signed in there. */
function handOver(accessToken) {
  try {
    sessionStorage.setItem('empulse.console.token', JSON.stringify(accessToken));
    // Whoever was sent here to sign in first.
    byId('onward').hidden = !sessionStorage.getItem('empulse.export.token');
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

byId('again').addEventListener('click', () => {
  say('');
  password.value = '';
  ask(null);
});
resend.addEventListener('click', () => mail(RESEND));
byId('forgotten').addEventListener('click', () => mail(FORGOTTEN));

/** Somebody is signed in. */
function done(credentials) {
  form.reset();
  ask(null);
  if (!credentials) return say(UNREADABLE);
  if (!handOver(credentials.accessToken)) return say('You could sign in, but this browser keeps nothing for the console.');
  show('done');
}

async function complete() {
  if (!code.value.trim()) return say('The code is missing.', code);
  const input = { twoFactorToken: secondStep, code: code.value };
  const { credentials, errors } = await mutate(COMPLETE, input);
  if (!errors.length) return done(credentials);
  // Taken too long, or tried too often: from the beginning.
  if (has(errors, 'INVALID_TOKEN')) ask(null);
  say(messages(errors), has(errors, 'INVALID_CODE') ? code : undefined);
}

onSubmit(form, async () => {
  byId('sent').textContent = '';
  resend.hidden = true;
  if (secondStep !== null) return complete();
  if (!email.value.trim()) return say('The e-mail address is missing.', email);
  if (!password.value) return say('The password is missing.', password);
  const input = { email: email.value.trim(), password: password.value, delivery: 'BODY' };
  let payload = await mutate(LOGIN, input);
  if (has(payload.errors, 'CHALLENGE_REQUIRED')) {
    byId('sent').textContent = 'After so many tries a puzzle is to be solved first. Your browser is about it; that takes a few seconds.';
    try {
      payload = await mutate(LOGIN, { ...input, challenge: await solved() });
    } finally {
      byId('sent').textContent = '';
    }
  }
  const { credentials, twoFactorToken, errors } = payload;
  if (errors.length) {
    resend.hidden = !has(errors, 'UNVERIFIED');
    return say(messages(errors), has(errors, 'INVALID_CREDENTIALS') ? password : undefined);
  }
  if (twoFactorToken) return ask(twoFactorToken);
  done(credentials);
});

form.hidden = false;
