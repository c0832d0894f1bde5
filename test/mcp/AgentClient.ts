/** An agent's client: the official one of the protocol, in front of the real `wallet mcp`. */
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { compileCache, executable } from "../cli/WalletProcess.ts"

export interface Called {
  readonly isError: boolean
  /** The answer or the problem; of what was refused for its form the text. */
  // A test says by what it reads which document it expects.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly body: any
}

export interface Agent {
  readonly client: Client
  readonly call: (tool: string, given: Readonly<Record<string, unknown>>) => Effect.Effect<Called>
}

const agentOver = (transport: Transport) =>
  Effect.acquireRelease(
    Effect.promise(async (): Promise<Agent> => {
      const client = new Client({ name: "agent", version: "1.0.0" })
      await client.connect(transport)
      return {
        client,
        call: (name, given) =>
          Effect.promise(async () => {
            const { content, isError, structuredContent } = await client.callTool({ name, arguments: given })
            if (isError !== true) return { isError: false, body: structuredContent }
            assert.isArray(content)
            const [{ text }] = content as [{ readonly text: string }]
            return { isError: true, body: text.startsWith("{") ? JSON.parse(text) : text }
          })
      }
    }),
    ({ client }) => Effect.promise(() => client.close())
  )

/** `wallet mcp` as a process of this agent alone. */
export const stdioAgent = (service: string, apiKey: string) =>
  agentOver(
    new StdioClientTransport({
      command: process.execPath,
      args: [executable, "mcp", "--url", service],
      env: { ...compileCache, WALLET_MCP_KEY: apiKey },
      stderr: "pipe"
    })
  )

export const httpAgent = (url: string, apiKey: string) =>
  agentOver(
    new StreamableHTTPClientTransport(new URL(url), {
      requestInit: { headers: { authorization: `Bearer ${apiKey}` } }
      // The SDK's own types are not exact about optional properties.
    }) as Transport
  )
