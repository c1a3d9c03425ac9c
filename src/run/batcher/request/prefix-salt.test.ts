import { expect, test } from 'vitest';
import { prefixSalt } from './prefix-salt.js';
import { tokenRequest } from '../testing/mixed-requests.js';

const request = (promptTokens: number, cacheSalt?: string) =>
  tokenRequest('a', { promptTokenIds: new Int32Array(promptTokens), cacheSalt });

test('a model without dynamic RoPE leaves the salt alone', () => {
  expect(prefixSalt(request(100), undefined)).toBeUndefined();
  expect(prefixSalt(request(100, 'a'), undefined)).toBe('a');
});

test('long prompts share only with prompts of their length and salt', () => {
  const salt = (promptTokens: number, cacheSalt?: string) => prefixSalt(request(promptTokens, cacheSalt), 10);
  expect(salt(5)).toBe(salt(10));
  expect(salt(5, 'a')).toBe(salt(10, 'a'));
  expect(salt(11, 'a')).toBe(salt(11, 'a'));
  const forged = salt(12);
  const all = [
    salt(10),
    salt(11),
    salt(12),
    salt(10, 'a'),
    salt(11, 'a'),
    salt(10, forged),
    salt(12, forged),
  ];
  expect(new Set(all).size).toBe(all.length);
});
