// The token of a mailed link. It stands behind the `#`, which a browser sends to nobody, and is taken out of the address
// at once: neither the history nor whoever looks at the screen should keep it.

let token = null;

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get('token');
  history.replaceState(null, '', location.pathname + location.search);
  token = /^[\w.-]{1,512}$/.test(given ?? '') ? given : null;
  show(token ? 'ask' : 'lost');
}

// A second link opened in the same tab loads nothing anew.
addEventListener('hashchange', () => {
  if (location.hash.length > 1) takeToken();
});
takeToken();
