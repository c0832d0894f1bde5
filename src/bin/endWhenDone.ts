/**
 * Ends this process once nothing is left to be done. Left to itself Node then closes every
 * handle that is open, and turns for ever when a native module, as that of KurrentDB's
 * client, keeps one that does not close: seen now and then, at full load of a core.
 */
process.once("beforeExit", (code) => process.exit(code))
