import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.openapitools.client.ApiClient;
import org.openapitools.client.ApiException;
import org.openapitools.client.api.HoldsApi;
import org.openapitools.client.api.TransfersApi;
import org.openapitools.client.api.WalletsApi;
import org.openapitools.client.model.*;

/** What a shop does with a client made by openapi-generator. WALLET_URL and WALLET_KEY say where. */
public class Scenario {
  static String key() {
    return UUID.randomUUID().toString();
  }

  static void check(boolean holds, Object what) {
    if (!holds) throw new AssertionError("unexpected: " + what);
  }

  public static void main(String[] args) throws Exception {
    ApiClient client = new ApiClient();
    client.setBasePath(System.getenv("WALLET_URL"));
    client.setBearerToken(System.getenv("WALLET_KEY"));
    WalletsApi wallets = new WalletsApi(client);
    HoldsApi holds = new HoldsApi(client);
    TransfersApi transfers = new TransfersApi(client);
    String shop = "shop-" + key();
    String customer = "customer-" + key();

    for (String id : List.of(shop, customer)) {
      CreateWallet body = new CreateWallet().id(id).ownerId("java").currency("EUR");
      WalletAnswer made = wallets.createWallet(key(), body, null, null).getWalletAnswer();
      check(made.getWallet().getBalance().equals("0"), made);
    }

    Movement credit = new Movement().amount("1000").metadata(Map.of("order", "17"));
    TransactionAnswer credited = wallets.creditWallet(customer, key(), credit, null, null, null).getTransactionAnswer();
    check(credited.getTransaction().getBalanceAfter().equals("1000"), credited);

    PlaceHold hold = new PlaceHold().amount("300");
    HoldAnswer held = holds.placeHold(customer, key(), hold, null, null, null).getHoldAnswer();
    CaptureHold capture = new CaptureHold().amount("200")._final(true);
    CaptureAnswer captured =
        holds.captureHold(customer, held.getHold().getId(), key(), null, null, null, capture).getCaptureAnswer();
    check(captured.getHold().getStatus() == HoldStatus.HOLD_STATUS_CAPTURED, captured);
    check(captured.getWallet().getBalance().equals("800"), captured);

    SendTransfer order = new SendTransfer().from(customer).to(shop).amount("100").reference("order-17");
    TransferAnswer sent = transfers.sendTransfer(key(), order, null, null).getTransferAnswer();
    check(sent.getTransfer().getStatus() == TransferStatus.TRANSFER_STATUS_COMPLETED, sent);

    List<String> seen = new ArrayList<>();
    String cursor = null;
    do {
      TransactionPage page = wallets.listWalletTransactions(customer, null, null, null, null, 1, cursor);
      for (Transaction transaction : page.getData()) seen.add(transaction.getAmount());
      cursor = page.getNext();
    } while (cursor != null);
    check(seen.equals(List.of("100", "200", "1000")), seen);

    try {
      wallets.debitWallet(customer, key(), new Debit().amount("1000"), null, null, null);
      throw new AssertionError("a debit beyond the balance was done");
    } catch (ApiException failure) {
      Problem problem = Problem.fromJson(failure.getResponseBody());
      check(failure.getCode() == 422, failure);
      check(problem.getInsufficientFundsProblem().getShortage().equals("300"), problem);
    }
    System.out.println("scenario: done");
  }
}
