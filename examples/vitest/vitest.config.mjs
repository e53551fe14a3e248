// SPDX-License-Identifier: MIT
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "./fixture.mjs",
    pool: "forks",
    poolOptions: { forks: { minForks: 8, maxForks: 8 } },
  },
});
