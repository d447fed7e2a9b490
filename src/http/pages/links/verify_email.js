const VERIFY = `mutation VerifyEmail($input: VerifyEmailInput!) {
  verifyEmail(input: $input) { verified errors { code message } }
}`;

onSubmit(byId('form'), async () => {
  const { verified, errors } = await mutate(VERIFY, { token });
  if (!verified && has(errors, 'INVALID_TOKEN')) return show('lost');
  if (!verified) return say(messages(errors) || UNREADABLE);
  token = null;
  show('done');
});
