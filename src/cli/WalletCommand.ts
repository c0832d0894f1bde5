/** The `wallet` command: what it is made of, apart from how it is run. */
import * as Command from "effect/cli/Command"
import { importCommand } from "./import/ImportCommand.ts"
import { inspectCommand } from "./tools/InspectCommand.ts"
import { keysCommand } from "./KeysCommand.ts"
import { loadCommand } from "./load/LoadCommand.ts"
import { mcpCommand } from "./McpCommand.ts"
import { migrateCommand } from "./MigrateCommand.ts"
import { replayCommand } from "./tools/ReplayCommand.ts"
import { serveCommand } from "./ServeCommand.ts"
import { verifyCommand } from "./tools/VerifyCommand.ts"

export const walletCommand = Command.make("wallet").pipe(
  Command.withDescription(
    "An actor-model wallet engine. Configured by environment variables; docs/OPERATIONS.md has the table. " +
      "To generate a client, give the /openapi.json of a running service to a generator; docs/GUIDE.md names some."
  ),
  Command.withSubcommands([
    serveCommand,
    migrateCommand,
    importCommand,
    verifyCommand,
    replayCommand,
    inspectCommand,
    keysCommand,
    loadCommand,
    mcpCommand
  ])
)
