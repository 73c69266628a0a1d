// An OpenID Provider that others wrote, for tests of signing in there: `oidc-provider`, with its own pages for signing in.
// argv: a JSON file {port, client, groups, inUserinfo}; `groups` is read anew each time, `key` makes the signing key.
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Provider } from 'oidc-provider';

const path = process.argv[2];
const settings = () => JSON.parse(readFileSync(path, 'utf8'));
const { port, client, inUserinfo } = settings();
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [client],
  jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
  cookies: { keys: ['a key of tests'] },
  claims: { openid: ['sub'], profile: ['preferred_username'], email: ['email', 'email_verified'], groups: ['groups'] },
  // With true, claims of scopes are told by the UserInfo endpoint alone.
  conformIdTokenClaims: inUserinfo,
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  findAccount: (_, id) => ({
    accountId: id,
    claims: () => ({
      sub: id,
      preferred_username: settings().names?.[id] ?? id,
      email: `${id}@example.com`,
      email_verified: true,
      groups: settings().groups[id],
    }),
  }),
});
provider.listen(port, '127.0.0.1', () => console.log('ready'));
