/**
 * Imported for what it does: V8 makes no objects in the old generation by its own guess. Where many wallets rest between
 * two collections it learns that their states grow old, and then makes also there what a command needs only for a moment;
 * all that such an object points to is kept until a full collection, the whole request (docs/PERFORMANCE.md).
 */
import { setFlagsFromString } from "node:v8"

setFlagsFromString("--no-allocation-site-pretenuring")
