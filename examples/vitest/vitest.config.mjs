// SPDX-License-Identifier: MIT
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "./fixture.mjs",
    // A loaded machine is no reason to fail.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    poolOptions: { forks: { minForks: 8, maxForks: 8 } },
  },
});
