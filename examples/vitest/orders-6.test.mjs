// SPDX-License-Identifier: MIT
import { orders } from "./orders.mjs";

orders("file 6");
