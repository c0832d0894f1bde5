/**
 * How two nodes know that they belong together, before either reads a message of the other.
 *
 * With a shared secret the connection is TLS under a pre-shared key (RFC 4279, 5489): each
 * side proves that it has the secret, without sending it, and everything is encrypted under
 * keys that a secret that leaks later does not give away. With certificates it is TLS in
 * which both sides show one of the nodes' own authority. TLS does the proof, so there is no
 * handshake of our own, and a byte that is changed on the way ends the connection.
 */
import * as NodeSocket from "@effect/platform-node/NodeSocket"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Socket from "effect/socket/Socket"
import { hkdfSync } from "node:crypto"
import * as Fs from "node:fs"
import type * as Net from "node:net"
import * as Tls from "node:tls"
import type { ClusterConfig, NodeAddress, NodeCertificates } from "./ClusterConfig.ts"

/** A connection to another node that is not there in so many milliseconds will not be. */
const openTimeoutMillis = 1_000

/** A connection that has not proven itself for so long, ms, is closed: until then it is a stranger's. */
const handshakeMillis = 2_000

/** What both sides call the key; with another way of making it from the secret this changes. */
const pskIdentity = "effect-wallet-node-1"

/** A new key for every connection, an authenticated cipher, and nothing that works without the secret. */
const pskVersion = { ciphers: "ECDHE-PSK-CHACHA20-POLY1305", minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const

/** Of TLS, bytes. */
const pskBytes = 32

/** A file for TLS between the nodes cannot be used. */
export class ClusterTlsInvalid extends Schema.TaggedError<ClusterTlsInvalid>()("ClusterTlsInvalid", {
  reason: Schema.String
}) {
  override get message(): string {
    return `the certificate for the other nodes cannot be used: ${this.reason}; see WALLET_CLUSTER_TLS_CERT, _KEY and _CA`
  }
}

/** `undefined`: whoever reaches the port is believed. */
export interface PeerSecurity {
  /** Of the side that connects. */
  readonly client: Tls.ConnectionOptions
  /** Of the side that listens. */
  readonly server: Tls.TlsOptions
}

const bySecret = (secret: Redacted.Redacted): PeerSecurity => {
  const psk = Buffer.from(hkdfSync("sha256", Redacted.value(secret), "", pskIdentity, pskBytes))
  return {
    client: {
      ...pskVersion,
      pskCallback: () => ({ psk, identity: pskIdentity }),
      // There is no certificate: the key is the identity.
      checkServerIdentity: () => undefined
    },
    server: { ...pskVersion, pskCallback: (_, identity) => (identity === pskIdentity ? psk : null) }
  }
}

const byCertificates = ({ ca, cert, key }: NodeCertificates): Effect.Effect<PeerSecurity, ClusterTlsInvalid> =>
  Effect.try({
    try: () => {
      const files = { ca: Fs.readFileSync(ca), cert: Fs.readFileSync(cert), key: Fs.readFileSync(key) }
      Tls.createSecureContext(files)
      const both = { ...files, minVersion: "TLSv1.3" } as const
      return { client: both, server: { ...both, requestCert: true, rejectUnauthorized: true } }
    },
    catch: (cause) => new ClusterTlsInvalid({ reason: cause instanceof Error ? cause.message : String(cause) })
  })

/** What `config` asks for. */
export const make = ({
  certificates,
  secret
}: ClusterConfig): Effect.Effect<PeerSecurity | undefined, ClusterTlsInvalid> =>
  certificates !== undefined
    ? byCertificates(certificates)
    : Effect.succeed(secret === undefined ? undefined : bySecret(secret))

/** A connection to another node, made when its reader is acquired. */
export const connect = (
  security: PeerSecurity | undefined,
  { host, port }: NodeAddress
): Effect.Effect<Socket.Socket> =>
  security === undefined
    ? NodeSocket.makeNet({ openTimeout: openTimeoutMillis, host, port })
    : NodeSocket.makeTls({ ...security.client, openTimeout: openTimeoutMillis, host, port })

const refusedBy = (cause: unknown) =>
  new Socket.SocketError({ reason: new Socket.SocketOpenError({ kind: "Unknown", cause }) })

/** Of a connection, while it is there. */
const placeOf = ({ remoteAddress, remotePort }: Net.Socket): string => `${remoteAddress} ${remotePort}`

/** Takes a connection and gives it back when the other side has proven itself; else closes it, and fails. */
export type Accept = (raw: Net.Socket) => Effect.Effect<Socket.Socket>

type Accepted = Effect.Effect<Tls.TLSSocket, Socket.SocketError>

export const accepting = ({ server: options }: PeerSecurity): Accept => {
  const waiting = new Map<string, (accepted: Accepted) => void>()
  const server = Tls.createServer({ ...options, handshakeTimeout: handshakeMillis })
  server.on("secureConnection", (secure) => {
    // Its reader says what it was. Behind the reader's end nobody else listens.
    secure.on("error", () => undefined)
    secure.pause()
    waiting.get(placeOf(secure))?.(Effect.succeed(secure))
  })
  server.on("tlsClientError", (error, secure) => {
    waiting.get(placeOf(secure))?.(Effect.fail(refusedBy(error)))
    secure.destroy()
  })
  const accept = (raw: Net.Socket): Accepted =>
    Effect.callback((resume) => {
      const place = placeOf(raw)
      const end = () => {
        waiting.delete(place)
        raw.off("close", closed)
      }
      const settle = (accepted: Accepted) => {
        end()
        resume(accepted)
      }
      const closed = () => settle(Effect.fail(refusedBy(new Error("closed before its handshake was over"))))
      waiting.set(place, settle)
      raw.once("close", closed)
      if (raw.destroyed) closed()
      else server.emit("connection", raw)
      return Effect.sync(() => {
        end()
        raw.destroy()
      })
    })
  return (raw) =>
    NodeSocket.fromDuplex(
      Effect.acquireRelease(accept(raw), (secure) => Effect.sync(() => void secure.destroySoon())),
      { tlsServer: true }
    )
}
