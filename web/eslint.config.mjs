import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["**/dist/", "**/node_modules/"] },
  ...tseslint.configs.strict,
  {
    rules: {
      "max-lines": ["error", 500],
      "max-lines-per-function": ["error", 60],
      "max-len": ["error", { code: 120 }],
      "@typescript-eslint/no-extraneous-class": "off",
    },
  },
  {
    // A test file is one list of cases.
    files: ["test/**"],
    rules: { "max-lines-per-function": "off" },
  },
);
