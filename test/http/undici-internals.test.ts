import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Client } from 'undici';
import InternalClient from 'undici/lib/dispatcher/client.js';
import { describe, expect, it } from 'vitest';

// If one of these fails, undici has moved its internals: measure again whether src/http/http1-client.ts needs them.
const require = createRequire(import.meta.url);
const manifest = (name: string) => JSON.parse(readFileSync(require.resolve(`${name}/package.json`), 'utf8'));
const INTERNALS = ['undici/lib/dispatcher/client.js', 'undici/lib/llhttp/llhttp_simd-wasm.js'];

describe('the internals of undici', () => {
  it('are those of the exact version that package.json names', () => {
    const { devDependencies } = JSON.parse(
      readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
    );
    expect(devDependencies.undici).toMatch(/^\d+\.\d+\.\d+$/);
    expect(manifest('undici').version).toBe(devDependencies.undici);
  });

  it('are what http1-client.ts imports, and nothing more', () => {
    const source = readFileSync(new URL('../../src/http/http1-client.ts', import.meta.url), 'utf8');
    const imported = [...source.matchAll(/^import (?!type).*?'(undici[^']*)';$/gm)].map(([, path]) => path);
    expect(imported).toEqual(INTERNALS);
    expect(INTERNALS.map((path) => existsSync(require.resolve(path)))).toEqual([true, true]);
  });

  it('have the Client that undici exports', () => {
    expect(InternalClient).toBe(Client);
  });

  it('load the parser from the module that is loaded beforehand', () => {
    const path = require.resolve('undici/lib/dispatcher/client-h1.js');
    const parsers = [...readFileSync(path, 'utf8').matchAll(/require\('(\.\.\/llhttp\/[^']*wasm[^']*)'\)/g)];
    expect(parsers.map(([, name]) => name)).toContain('../llhttp/llhttp_simd-wasm.js');
    expect(require('undici/lib/llhttp/llhttp_simd-wasm.js')).toBeInstanceOf(Buffer);
  });
});
