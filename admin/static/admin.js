// Makes pages nicer; every page works without it.
'use strict';

// Points in time: written in UTC, shown in the reader's own time.
const twoDigits = (number) => String(number).padStart(2, '0');
function showOwnTime(part) {
  for (const element of part.querySelectorAll('time[datetime]')) {
    const at = new Date(element.dateTime);
    const day = [at.getFullYear(), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
    const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
    const utc = element.textContent;
    // As precise as it was written: "2027-01-31 08:00 UTC" has no seconds.
    element.textContent = `${day} ${time}`.slice(0, utc.length - ' UTC'.length);
    element.title = utc;
  }
}
showOwnTime(document);

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll('form[method="post"]')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) {
      event.preventDefault();
      return;
    }
    form.dataset.sent = 'yes';
  });
}

// A page shown again from the browser's memory has forms that may be sent again.
window.addEventListener('pageshow', () => {
  for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
});

// What changes by itself, such as the progress of a job, is asked for every two seconds while somebody looks.
const live = () => document.querySelector('[data-live]');

async function renew() {
  const shown = live();
  if (document.hidden || shown.contains(document.activeElement)) return;
  const response = await fetch(window.location.href, { headers: { Accept: 'text/html' } });
  if (!response.ok || response.redirected) return;
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const renewed = page.getElementById(shown.id);
  if (!renewed) return;
  shown.replaceWith(renewed);
  showOwnTime(renewed);
}

const renewals = window.setInterval(() => {
  if (live()) renew().catch(() => {});
  else window.clearInterval(renewals);
}, 2000);
