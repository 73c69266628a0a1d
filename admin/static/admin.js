// Makes pages nicer; every page works without it.
'use strict';

// The server writes pages in the reader's own zone, as this cookie names it. A page that was written before it did is
// asked for once more; where the cookie is not kept, or the server does not know the zone, its own stays in force.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const zoneCookie = `wechat_openid_timezone=${zone}`;
const isToldZone = () => document.cookie.split('; ').includes(zoneCookie);
const wasTold = isToldZone();
const secure = window.location.protocol === 'https:' ? '; secure' : '';
if (zone) document.cookie = `${zoneCookie}; path=/admin; max-age=31536000; samesite=lax${secure}`;
const written = document.documentElement.dataset.timeZone;
if (written && written !== zone && !wasTold && isToldZone()) window.location.reload();

// A form is sent once, however often its button is pressed; also one that came with a renewed part of the page.
const sendOnce = (event) => {
  const form = event.target;
  if (form.method !== 'post') return;
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = 'yes';
};
document.addEventListener('submit', sendOnce, { capture: true });

// A page shown again from the browser's memory has forms that may be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

// A picture that does not load leaves the initial in its place.
for (const picture of document.querySelectorAll('.avatar img')) {
  picture.addEventListener('error', () => picture.remove());
  if (picture.complete && picture.naturalWidth === 0) picture.remove();
}

// What stands before a button for it is copied. A page that came over plain HTTP has no clipboard but the selection's.
async function copy(element) {
  if (navigator.clipboard) return navigator.clipboard.writeText(element.textContent);
  window.getSelection().selectAllChildren(element);
  if (!document.execCommand('copy')) throw new Error('not copied');
}
for (const button of document.querySelectorAll('button.copy')) {
  button.hidden = false;
  const words = button.textContent;
  button.addEventListener('click', async () => {
    await copy(button.previousElementSibling);
    button.textContent = button.dataset.copied;
    window.setTimeout(() => { button.textContent = words; }, 2000);
  });
}

// The navigation of a phone begins where the reader is.
const here = document.querySelector('.bar nav [aria-current]');
if (here) here.closest('nav').scrollLeft = here.offsetLeft - here.closest('nav').clientWidth / 2 + here.offsetWidth / 2;

// A range of time is told from now or by days: what is chosen takes the place of the other.
for (const range of document.querySelectorAll('.range')) {
  range.addEventListener('input', (event) => {
    for (const field of range.elements) {
      if ((field.tagName === 'SELECT') !== (event.target.tagName === 'SELECT')) field.value = '';
    }
  });
}

// Users are chosen all at once too, and are counted; nothing is gone on with while none is chosen.
const all = document.querySelector('.bulk .all');
function countChosen() {
  const boxes = [...document.querySelectorAll('[name="user"]')];
  const chosen = boxes.filter((box) => box.checked).length;
  const [box, output] = [all.querySelector('input'), all.querySelector('output')];
  box.checked = chosen === boxes.length;
  box.indeterminate = chosen > 0 && chosen < boxes.length;
  output.textContent = chosen ? output.dataset.text.replace('%s', chosen) : '';
  all.closest('form').querySelector('.bulk button').disabled = !chosen && all.closest('form').elements.whom.value === 'selected';
}
if (all) {
  all.hidden = false;
  all.addEventListener('change', (event) => {
    for (const box of document.querySelectorAll('[name="user"]')) box.checked = event.target.checked;
  });
  all.closest('form').addEventListener('change', countChosen);
  window.addEventListener('pageshow', countChosen);
}

// "/" goes to the search of a page that has one.
document.addEventListener('keydown', (event) => {
  const search = document.querySelector('input[type="search"]');
  const isTyping = event.target.closest('input, select, textarea');
  if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey || isTyping || !search) return;
  event.preventDefault();
  search.focus();
});

// What changes by itself, such as the progress of a job, says by data-live after how many seconds it is asked for
// again, while somebody looks. What is being used stays as it is.
const live = () => [...document.querySelectorAll('[data-live]')];

// Shows or hides the sentence that this page may no longer be true.
function showRenewed(isRenewed) {
  document.getElementById('not-renewed').hidden = isRenewed;
}

async function renew() {
  const parts = live().filter((part) => !part.contains(document.activeElement));
  if (document.hidden || parts.length === 0) return;
  const response = await fetch(window.location.href, { headers: { Accept: 'text/html' } });
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  if (response.redirected || !parts.some((part) => page.getElementById(part.id))) throw new Error('another page');
  if (response.ok && document.querySelector('[data-outage]')) window.location.reload();
  for (const part of parts) {
    const renewed = page.getElementById(part.id);
    if (!renewed || part.contains(document.activeElement)) continue;
    const opened = [...part.querySelectorAll('details')].map((details) => [details.id, details.open]);
    part.replaceWith(renewed);
    for (const [id, open] of opened) {
      const details = document.getElementById(id);
      if (details) details.open = open;
    }
  }
}

function renewLater() {
  const seconds = live().map((part) => Number(part.dataset.live));
  if (seconds.length === 0) return;
  window.setTimeout(() => renew().then(() => showRenewed(true), () => showRenewed(false)).finally(renewLater), 1000 * Math.min(...seconds));
}
renewLater();
