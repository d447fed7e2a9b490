const RESET = `mutation ResetPassword($input: ResetPasswordInput!) {
  resetPassword(input: $input) { changed errors { code message } }
}`;

const password = byId('password');
const again = byId('again');

byId('reveal').addEventListener('change', ({ currentTarget }) => {
  for (const input of [password, again]) input.type = currentTarget.checked ? 'text' : 'password';
});

onSubmit(byId('form'), async () => {
  // Counted as the service counts: an emoji is one.
  if ([...password.value].length < 12) return say('The password needs at least 12 characters.', password);
  if (password.value !== again.value) return say('The two are not the same.', again);
  const { changed, errors } = await mutate(RESET, { token, newPassword: password.value });
  if (!changed && has(errors, 'INVALID_TOKEN')) return show('lost');
  if (!changed) return say(messages(errors) || UNREADABLE, password);
  byId('form').reset();
  token = null;
  show('done');
});
