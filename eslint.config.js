import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

/** Which folder of src may import which: one direction, source to transport. The CLI sees the public entries alone. */
const IMPORTS = {
  base: [],
  engine: ['base'],
  source: ['base', 'engine'],
  target: ['base', 'engine'],
  transport: ['base'],
  pipeline: ['base'],
  manifest: ['base'],
  'local-server': ['engine'],
};
/** Pipeline parts get their collaborators handed in, so they may know the types alone. */
const TYPE_IMPORTS = { pipeline: ['engine', 'manifest', 'source', 'target', 'transport'] };

const folders = [...Object.keys(IMPORTS), 'cli'];

const importRules = Object.entries(IMPORTS).map(([folder, allowed]) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: folders
              .filter((other) => other !== folder && !allowed.includes(other))
              .filter((other) => !TYPE_IMPORTS[folder]?.includes(other))
              .map((other) => `**/${other}/*`),
            message: `src/${folder} may import ${allowed.join(', ') || 'Node built-ins'} only.`,
          },
          ...(TYPE_IMPORTS[folder] ?? []).map((other) => ({
            group: [`**/${other}/*`],
            allowTypeImports: true,
            message: `src/${folder} may import types only from ${other}: implementations are handed in.`,
          })),
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'coverage/', 'node_modules/', 'prebuilds/'] },
  eslint.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { ignoreRestSiblings: true }],
      eqeqeq: 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' },
  },
  ...importRules,
  {
    files: ['src/cli/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: Object.keys(IMPORTS).map((folder) => `**/${folder}/*`),
              message: 'The CLI uses the public entries (src/index.ts, src/local.ts) alone.',
            },
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: { console: 'readonly', process: 'readonly', Buffer: 'readonly', fetch: 'readonly' },
    },
  },
);
