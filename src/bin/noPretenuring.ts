/**
 * Imported for what it does: V8 makes no objects in the old generation by its own guess. Where many wallets rest between
 * two collections it learns that their states grow old, and then makes also there what a command needs only for a moment;
 * all that such an object points to is kept until a full collection, the whole request (docs/PERFORMANCE.md).
 *
 * For all threads of whatever `wallet` runs. Node warns of flags that are set when it has started: this one is looked at
 * whenever a function is compiled for speed, and what is busy under load is compiled later. `OldGarbage.integration.test.ts`
 * shows that it takes effect; `node --no-allocation-site-pretenuring` is the same.
 */
import { setFlagsFromString } from "node:v8"

setFlagsFromString("--no-allocation-site-pretenuring")
