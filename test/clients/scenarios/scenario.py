"""What a shop does with a client made by openapi-generator: `python scenario.py`, with WALLET_URL and WALLET_KEY."""

import os
import uuid

import wallet_client as client

configuration = client.Configuration(host=os.environ["WALLET_URL"], access_token=os.environ["WALLET_KEY"])


def key() -> str:
    return str(uuid.uuid4())


def main() -> None:
    with client.ApiClient(configuration) as api:
        wallets, holds, transfers = client.WalletsApi(api), client.HoldsApi(api), client.TransfersApi(api)
        shop, customer = f"shop-{key()}", f"customer-{key()}"
        for wallet_id in (shop, customer):
            made = wallets.create_wallet(key(), client.CreateWallet(id=wallet_id, owner_id="py", currency="EUR"))
            assert made.wallet.balance == "0", made

        credited = wallets.credit_wallet(customer, key(), client.Movement(amount="1000", metadata={"order": "17"}))
        assert credited.transaction.balance_after == "1000", credited

        held = holds.place_hold(customer, key(), client.PlaceHold(amount="300"))
        captured = holds.capture_hold(customer, held.hold.id, key(), capture_hold=client.CaptureHold(amount="200", final=True))
        assert captured.hold.status == client.HoldStatus.HOLD_STATUS_CAPTURED, captured
        assert captured.wallet.balance == "800", captured

        order = client.SendTransfer(var_from=customer, to=shop, amount="100", reference="order-17")
        assert transfers.send_transfer(key(), order).transfer.status == client.TransferStatus.TRANSFER_STATUS_COMPLETED

        seen, cursor = [], None
        while True:
            page = wallets.list_wallet_transactions(customer, limit=1, cursor=cursor)
            seen += [transaction.amount for transaction in page.data]
            cursor = page.next
            if cursor is None:
                break
        assert seen == ["100", "200", "1000"], seen

        events = wallets.list_wallet_events(customer).data
        assert events[1].actual_instance.data.amount == "1000", events

        try:
            wallets.debit_wallet(customer, key(), client.Debit(amount="1000"))
        except client.ApiException as failure:
            problem = failure.data.actual_instance
            assert isinstance(problem, client.InsufficientFundsProblem), problem
            assert (failure.status, problem.code, problem.shortage) == (422, "InsufficientFunds", "300"), problem
        else:
            raise AssertionError("a debit beyond the balance was done")

        try:
            wallets.get_wallet("nobody")
        except client.ApiException as failure:
            assert failure.data.actual_instance.code == "WalletNotFound", failure.data
        else:
            raise AssertionError("a wallet that is not there was read")


main()
print("scenario: done")
