// Makes pages nicer; every page works without it.
'use strict';

// Points in time: written in UTC, shown in the reader's own time.
const twoDigits = (number) => String(number).padStart(2, '0');
for (const element of document.querySelectorAll('time[datetime]')) {
  const at = new Date(element.dateTime);
  const day = [at.getFullYear(), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(twoDigits).join(':');
  const utc = element.textContent;
  // As precise as it was written: "2027-01-31 08:00 UTC" has no seconds.
  element.textContent = `${day} ${time}`.slice(0, utc.length - ' UTC'.length);
  element.title = utc;
}

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
