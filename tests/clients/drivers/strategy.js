'use strict';
// Runs a Passport strategy without a web server, as passport.authenticate() does: a copy of it with its outcomes.

module.exports = function authenticate(strategy, query, options = {}) {
  return new Promise((resolve, reject) => {
    const request = Object.create(strategy);
    request.redirect = resolve;
    request.success = resolve;
    request.error = reject;
    request.fail = (challenge) => reject(Object.assign(new Error('refused'), { challenge }));
    request.authenticate({ query, _passport: {}, session: {}, url: '/', get: () => 'h5.example.com' }, options);
  });
};
