import { describe, expect, it } from 'vitest';
import { ConfigError, parseConfig } from '../../shared/config.ts';

const oidc = (...providers: object[]): Record<string, string> => ({ BERTH_OIDC: JSON.stringify(providers) });
const issuer = 'https://issuer.example';

describe('limits by configuration', () => {
  it('are any of a type’s, and none by default', () => {
    expect(parseConfig({}).entitlements).toEqual({});
    expect(parseConfig({ BERTH_ENTITLEMENTS: '{"normal":{"sessions":2,"share":true}}' }).entitlements).toEqual({
      normal: { sessions: 2, share: true },
    });
  });
});

describe('identity providers', () => {
  it('are none by default', () => {
    expect(parseConfig({}).identityProviders).toEqual([]);
  });

  it('come with one audience or several; alone, without a prefix', () => {
    expect(parseConfig(oidc({ issuer, audience: 'a' })).identityProviders).toEqual([
      { issuers: [issuer], audiences: ['a'], userClaim: undefined, userPrefix: '', requiredClaims: {}, jwksUri: undefined },
    ]);
    expect(parseConfig(oidc({ issuer, audience: ['a', 'b'], user_claim: 'sub' })).identityProviders[0]).toMatchObject({
      audiences: ['a', 'b'],
      userClaim: 'sub',
    });
  });

  it('come with claims that their tokens must have, by JSON', () => {
    const { identityProviders } = parseConfig({
      ...oidc({ issuer, audience: 'a', user_prefix: 'a:', required_claims: { org: 'x', admin: true } }),
      BERTH_GOOGLE_AUDIENCES: 'g',
      BERTH_GOOGLE_REQUIRED_CLAIMS: '{"hd":"example.com"}',
      BERTH_FIREBASE_PROJECT: 'my-project',
      BERTH_FIREBASE_REQUIRED_CLAIMS: '{"firebase":{"tenant":"t1"}}',
      BERTH_FIREBASE_USER_PREFIX: 'f:',
    });
    expect(identityProviders.map(({ requiredClaims }) => requiredClaims)).toEqual([
      { org: 'x', admin: true },
      { firebase: { tenant: 't1' } },
      { hd: 'example.com' },
    ]);
  });

  it('let their users make keys for thirty days, or as many as are configured', () => {
    expect(parseConfig({}).tokenKeyDays).toBe(30);
    expect(parseConfig({ BERTH_TOKEN_KEY_DAYS: '1' }).tokenKeyDays).toBe(1);
  });

  it('are Firebase by its project and Google by its client ids', () => {
    const { identityProviders } = parseConfig({
      BERTH_FIREBASE_PROJECT: 'my-project',
      BERTH_GOOGLE_AUDIENCES: 'one.apps.googleusercontent.com, two',
      BERTH_GOOGLE_USER_PREFIX: 'google:',
    });
    expect(identityProviders).toMatchObject([
      {
        issuers: ['https://securetoken.google.com/my-project'],
        audiences: ['my-project'],
        jwksUri: 'https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com',
      },
      {
        issuers: ['https://accounts.google.com', 'accounts.google.com'],
        audiences: ['one.apps.googleusercontent.com', 'two'],
        userPrefix: 'google:',
      },
    ]);
  });

  const refused: readonly (readonly [string, Record<string, string>, RegExp])[] = [
    ['text that is no JSON', { BERTH_OIDC: '[' }, /^BERTH_OIDC: is not JSON$/],
    ['a limit that does not exist', { BERTH_ENTITLEMENTS: '{"normal":{"session":2}}' }, /^BERTH_ENTITLEMENTS: normal/],
    ['a limit below nothing', { BERTH_ENTITLEMENTS: '{"normal":{"sessions":-1}}' }, /^BERTH_ENTITLEMENTS: normal\.sessions/],
    ['a type that does not exist', { BERTH_ENTITLEMENTS: '{"gold":{"sessions":1}}' }, /^BERTH_ENTITLEMENTS: /],
    ['an issuer without an audience', oidc({ issuer }), /^BERTH_OIDC: 0\.audience/],
    ['an issuer without any audience', oidc({ issuer, audience: [] }), /^BERTH_OIDC: 0\.audience/],
    [
      'a required claim that no claim can equal',
      oidc({ issuer, audience: 'a', required_claims: { a: null } }),
      /^BERTH_OIDC: 0\.required_claims/,
    ],
    ['keys of users with tokens that live for no time', { BERTH_TOKEN_KEY_DAYS: '0' }, /^BERTH_TOKEN_KEY_DAYS: /],
    ['plain HTTP', oidc({ issuer: 'http://issuer.example', audience: 'a' }), /^BERTH_OIDC: 0\.issuer: must be https/],
    ['plain HTTP to what only begins like this machine', oidc({ issuer: 'http://127.0.0.1.example', audience: 'a' }), /must be https/],
    ['a field that does not exist', oidc({ issuer, audience: 'a', algorithms: ['none'] }), /^BERTH_OIDC: 0/],
    ['an issuer twice', oidc({ issuer, audience: 'a' }, { issuer, audience: 'b', user_prefix: 'b' }), /configured twice/],
    ['two issuers without prefixes', oidc({ issuer, audience: 'a' }, { issuer: `${issuer}/2`, audience: 'a' }), /user_prefix/],
    ['Firebase beside one without a prefix', { ...oidc({ issuer, audience: 'a' }), BERTH_FIREBASE_PROJECT: 'my-project' }, /user_prefix/],
  ];
  for (const [what, env, message] of refused) {
    it(`refuse ${what}`, () => {
      expect(() => parseConfig(env)).toThrow(ConfigError);
      expect(() => parseConfig(env)).toThrow(message);
    });
  }
});
