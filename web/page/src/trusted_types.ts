// Under the page's policy (serve.mjs) only this may name scripts, for workers: those of this origin. There is no way to
// turn text into HTML at all.
interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): unknown;
}

const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
types?.createPolicy("default", {
  createScriptURL(url) {
    if (new URL(url, document.baseURI).origin === location.origin) return url;
    throw new TypeError(`A script of another origin is not allowed here: ${url}`);
  },
});
