// Makes pages nicer; every page works without it.
'use strict';

// Points in time: written in UTC, shown in the reader's own time.
const twoDigits = (number) => String(number).padStart(2, '0');
for (const element of document.querySelectorAll('time[datetime]')) {
  const at = new Date(element.dateTime);
  const day = [at.getFullYear(), twoDigits(at.getMonth() + 1), twoDigits(at.getDate())].join('-');
  element.title = element.textContent;
  element.textContent = `${day} ${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`;
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
