/** `wallet mcp`: tools for an agent, in front of a running service. */
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { reportFailure } from "./Output.ts"

const flags = {
  url: Flag.String("url").pipe(
    Flag.withSchema(Schema.URLFromString),
    Flag.withMetavar("URL"),
    Flag.withDescription("The service that the tools use"),
    Flag.withDefault(new URL("http://127.0.0.1:3000"))
  ),
  listen: Flag.Int("listen").pipe(
    Flag.withMetavar("PORT"),
    Flag.withDescription(
      "Serve over HTTP at /mcp, each request with its own key; without it: standard input and output"
    ),
    Flag.filter(
      (port) => port >= 0 && port <= 65_535,
      () => "a port from 0 to 65535 is expected"
    ),
    Flag.optional
  ),
  host: Flag.String("host").pipe(
    Flag.withDescription("Of --listen: the address to listen at; by default this machine alone"),
    Flag.withDefault("127.0.0.1")
  ),
  allowedOrigins: Flag.String("allow-origin").pipe(
    Flag.withMetavar("ORIGIN"),
    Flag.withDescription("Of --listen: a page in a browser that may call, like https://agent.example; repeat for more"),
    Flag.between(0, 100)
  )
}

export type McpFlags = Command.Command.Config.Infer<typeof flags>

/** Loaded when it is asked for: no other command needs it. */
const mcpRun = Effect.promise(() => import("./McpRun.ts"))

export const mcpCommand = Command.make("mcp", flags, (given) =>
  reportFailure(false)(Effect.flatMap(mcpRun, ({ mcp }) => mcp(given)))
).pipe(
  Command.withShortDescription("Tools for an agent (Model Context Protocol) in front of a running service"),
  Command.withDescription(
    "Serve tools by the Model Context Protocol in front of a running service: read wallets, credit, debit, hold, " +
      "transfer, refund, and try each of them out before. Over standard input and output it acts with the key in " +
      "WALLET_MCP_KEY, which is best one made for it, with few rights: an agent can do all that its key can. Over HTTP " +
      "(--listen) each request shows a key of its own. docs/MCP.md has more."
  )
)
