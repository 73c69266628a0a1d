// Makes pages nicer; every page works without it.
'use strict';

// The server writes the next pages, their charts and the days of their filters in the reader's own zone.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const secure = window.location.protocol === 'https:' ? '; secure' : '';
if (zone) document.cookie = `wechat_openid_timezone=${zone}; path=/admin; max-age=31536000; samesite=lax${secure}`;

// Points in time of a page that does not know the zone yet.
const twoDigits = (number) => String(number).padStart(2, '0');
function showOwnTime(part) {
  for (const element of part.querySelectorAll('time[datetime]')) {
    const at = new Date(element.dateTime);
    const day = [at.getFullYear(), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
    const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
    // As precise as it was written: "2027-01-31 08:00" has no seconds.
    const written = element.textContent.replace(' UTC', '');
    element.textContent = `${day} ${time}`.slice(0, written.length);
    element.title = element.dateTime.replace('T', ' ').replace('Z', ' UTC');
  }
}
showOwnTime(document);

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

async function renew() {
  const parts = live().filter((part) => !part.contains(document.activeElement));
  if (document.hidden || parts.length === 0) return;
  const response = await fetch(window.location.href, { headers: { Accept: 'text/html' } });
  if (!response.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  for (const part of parts) {
    const renewed = page.getElementById(part.id);
    if (!renewed || part.contains(document.activeElement)) continue;
    const opened = [...part.querySelectorAll('details')].map((details) => [details.id, details.open]);
    part.replaceWith(renewed);
    for (const [id, open] of opened) {
      const details = document.getElementById(id);
      if (details) details.open = open;
    }
    showOwnTime(renewed);
  }
}

function renewLater() {
  const seconds = live().map((part) => Number(part.dataset.live));
  if (seconds.length === 0) return;
  window.setTimeout(() => renew().catch(() => {}).finally(renewLater), 1000 * Math.min(...seconds));
}
renewLater();
