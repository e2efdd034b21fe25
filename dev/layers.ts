/**
 * The layers of design §3, lowest first. An import goes to its own layer or to a lower one, never up.
 *
 * @module
 */
export interface Layer {
  readonly name: string;
  /** Files, or folders with a slash at the end; a file that is named counts before the folder it lies in. */
  readonly paths: readonly string[];
}

const domains = 'audit auth entitlements events exec files jobs namespaces ports sessions shell storage sweep webhooks'.split(' ');

export const LAYERS: readonly Layer[] = [
  { name: 'platform', paths: ['shared/clock.ts', 'shared/deadline.ts', 'shared/ids.ts', 'shared/errors/', 'shared/observability/'] },
  // The glossary: what a domain is about, as types and constants that import no code.
  { name: 'words', paths: [...domains, 'helper'].map((domain) => `shared/${domain}/model.ts`) },
  { name: 'configuration', paths: ['shared/config.ts', 'shared/config-users.ts'] },
  {
    name: 'ports',
    paths: [
      'shared/documents/',
      'shared/tasks/',
      'shared/blobs/',
      'shared/kubernetes/',
      'shared/helper/',
      'shared/errors/translate.ts',
      'shared/storage/buckets.ts',
    ],
  },
  // The interface that domains take as their first argument; it is made in `wiring`.
  { name: 'deps', paths: ['shared/deps.ts'] },
  { name: 'pods', paths: ['shared/pods/', 'shared/templates/'] },
  { name: 'domains', paths: [...domains.map((domain) => `shared/${domain}/`), 'shared/templates/custom-templates.ts'] },
  { name: 'http', paths: ['shared/http/'] },
  {
    name: 'wiring',
    paths: [
      'shared/create-deps.ts',
      'shared/create-helpers.ts',
      'shared/create-services.ts',
      'shared/create-user-services.ts',
      'shared/create-automation-services.ts',
    ],
  },
  { name: 'functions', paths: ['functions/'] },
  { name: 'dev', paths: ['dev/'] },
  { name: 'test and bench', paths: ['test/', 'bench/'] },
];

/** Folders whose code may read `process.env`; everything else gets its configuration as arguments. */
export const READERS_OF_ENVIRONMENT: readonly string[] = ['functions/', 'dev/', 'bench/', 'test/'];

/** Folders that are bundled for deployment: there, an SDK is loaded when it is first needed. */
export const DEPLOYED: readonly string[] = ['shared/', 'functions/'];

/** SDKs that take 50 to 400 ms to import; their types cost nothing. The functions framework is the exception: it is the server. */
export const LAZY_PACKAGES = /^(?:@google-cloud\/(?!functions-framework\b)|@kubernetes\/client-node\b|google-auth-library\b)/;
