import { createHmac } from 'node:crypto';
import { expect, it } from 'vitest';
import { Secret } from '../../../shared/auth/secret.ts';
import { signDelivery, webhookSecret } from '../../../shared/webhooks/signature.ts';

const key = Buffer.alloc(32, 7);

it('signs time and body, as a receiver checks them', () => {
  const header = signDelivery(new Secret('whsec_test'), '{"a":1}', new Date('2026-03-01T12:00:00.999Z'));
  const expected = createHmac('sha256', 'whsec_test').update('1772366400.{"a":1}').digest('hex');
  expect(header).toBe(`t=1772366400,v1=${expected}`);
});

it('gives every webhook a secret of its own, and the same one each time', () => {
  const secrets = [
    webhookSecret(key, 'a', 'n'),
    webhookSecret(key, 'b', 'n'),
    webhookSecret(key, 'a', 'm'),
    webhookSecret(Buffer.alloc(32, 8), 'a', 'n'),
  ].map((secret) => secret.reveal());
  expect(new Set(secrets).size).toBe(4);
  expect(webhookSecret(key, 'a', 'n').reveal()).toBe(secrets[0]);
  expect(secrets[0]).toMatch(/^whsec_[A-Za-z0-9_-]{43}$/);
});
