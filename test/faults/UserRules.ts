/** Rules of a user's own in PostgreSQL: what they refuse is undone. And two mistakes of an administrator's, which undo nothing. */
import type * as Effect from "effect/Effect"
import { execute, type Rig } from "./Rig.ts"

const rules: ReadonlyArray<string> = [
  `create function public.our_rules() returns trigger language plpgsql as $$
   begin
     if new.type in ('WalletDebited', 'TransferSent') and new.amount > 1000 then
       raise exception 'nothing above 1000 leaves a wallet';
     end if;
     if new.type in ('WalletCredited', 'TransferReceived') and new.reference = 'gift' then
       raise exception 'no gifts';
     end if;
     return new;
   end $$`,
  `create function public.our_hold_rules() returns trigger language plpgsql as $$
   begin
     if new.amount > 1000 then raise exception 'no hold above 1000'; end if;
     return new;
   end $$`,
  "create trigger our_rules before insert on wallet.events for each row execute function public.our_rules()",
  "create trigger our_hold_rules before insert on wallet.holds for each row execute function public.our_hold_rules()",
  "alter table wallet.events add constraint our_amounts check (type <> 'WalletCredited' or amount <> 777777)"
]

/** From now on. What stands is not judged again. */
export const addRules = (rig: Rig): Effect.Effect<void> => execute(rig, ...rules)

export interface Mistake {
  readonly name: string
  readonly make: ReadonlyArray<string>
  readonly mend: ReadonlyArray<string>
}

export const mistakes: ReadonlyArray<Mistake> = [
  {
    name: "a column dropped",
    make: [
      "create table public.saved as select wallet_id, version, hold_id from wallet.events",
      "alter table wallet.events drop column hold_id cascade"
    ],
    mend: [
      `do $$ begin
       alter table wallet.events add column hold_id text collate "C";
       update wallet.events t set hold_id = s.hold_id from public.saved s
         where s.wallet_id = t.wallet_id and s.version = t.version and s.hold_id is not null;
       drop table public.saved;
       end $$`
    ]
  },
  {
    name: "a right revoked",
    make: ["revoke insert on wallet.events from wallet_service"],
    mend: ["grant insert on wallet.events to wallet_service"]
  }
]
