// Makes passkeys and signs in by them. Forms that do so are hidden where the browser cannot.
'use strict';

const fromText = (text) => Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (letter) => letter.charCodeAt(0));
const toText = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');

// What the server writes as text, the browser takes as bytes.
function readOptions(options) {
  const withId = (one) => ({ ...one, id: fromText(one.id) });
  const read = { ...options, challenge: fromText(options.challenge) };
  if (options.user) read.user = withId(options.user);
  if (options.excludeCredentials) read.excludeCredentials = options.excludeCredentials.map(withId);
  if (options.allowCredentials) read.allowCredentials = options.allowCredentials.map(withId);
  return read;
}

function writeCredential(credential) {
  const response = {};
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  return JSON.stringify({ id: credential.id, rawId: toText(credential.rawId), type: credential.type, response });
}

async function usePasskey(form) {
  const headers = { 'X-Xsrftoken': form.elements._xsrf.value };
  const begun = await fetch(form.dataset.begin, { method: 'POST', headers });
  if (!begun.ok || begun.redirected) throw new Error('not begun');
  const publicKey = readOptions(await begun.json());
  const credential = await (publicKey.user ? navigator.credentials.create({ publicKey }) : navigator.credentials.get({ publicKey }));
  form.elements.credential.value = writeCredential(credential);
  form.submit();
}

for (const form of window.PublicKeyCredential ? document.querySelectorAll('form.passkey') : []) {
  form.hidden = false;
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const problem = form.querySelector('[role="alert"]');
    problem.hidden = true;
    usePasskey(form).catch(() => {
      problem.hidden = false;
      delete form.dataset.sent;
    });
  });
}
