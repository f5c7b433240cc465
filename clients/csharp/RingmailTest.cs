// Every verb of Ringmail.cs against a real node: where it is say RINGMAIL_SOCKET, RINGMAIL_URL and RINGMAIL_TOKEN.
using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using Ringmail;

public static class RingmailTest
{
    private static readonly byte[] Bytes = Enumerable.Range(0, 768).Select(i => (byte)i).ToArray();
    private static readonly RingmailNode Node = new RingmailNode();
    private static string queue;

    public static int Main()
    {
        var tests = new Dictionary<string, Func<Task>>
        {
            ["bodies"] = BodiesComeAsTheyWent,
            ["properties"] = EveryPropertyComesOutAsItWentIn,
            ["sending"] = DelayedExpressAndKeyed,
            ["refusals"] = RefusalsHaveCodesAndDetails,
            ["leases"] = LeasesEndInFourWays,
            ["selectors"] = Selectors,
            ["streams"] = AStreamHoldsNoMoreThanItsPrefetch,
            ["serving"] = ServingAcknowledgesGivesBackAndGivesUp,
            ["transactions"] = ATransactionDoesAllOfIt,
            ["producers"] = AProducerIsStoredOnce,
            ["restart"] = ConnectionsThatBrokeAreReplaced,
            ["queues"] = Queues,
            ["alone"] = OneWhoOpensItAloneIsTheOnlyReader,
            ["state"] = State,
            ["tls"] = OverTlsATokenHasItsRights,
        };
        var failed = 0;
        foreach (var test in tests)
        {
            queue = "q-" + test.Key;
            try
            {
                test.Value().GetAwaiter().GetResult();
                Console.WriteLine("ok " + test.Key);
            }
            catch (Exception error)
            {
                failed++;
                Console.WriteLine("FAILED " + test.Key + ": " + error);
            }
        }
        Console.WriteLine(failed == 0 ? "OK" : failed + " failed");
        return failed == 0 ? 0 : 1;
    }

    private static async Task BodiesComeAsTheyWent()
    {
        await Node.SendAsync(queue, Bytes, new SendOptions { ContentType = "image/png" });
        await Node.SendAsync(queue, new byte[0]);
        await Node.SendAsync(queue, "caf\u00e9\r\n");
        await Node.SendAsync(queue, new byte[45000]);
        var got = new List<Message>();
        for (var i = 0; i < 4; i++) got.Add((await Take()).Message);
        Same(Convert.ToBase64String(Bytes), Convert.ToBase64String(got[0].Body));
        Same("image/png, , text/plain, ", string.Join(", ", got.Select(message => message.ContentType)));
        Same(0, got[1].Body.Length);
        Same("caf\u00e9\r\n", got[2].Text);
        Same(45000, got[3].Body.Length);
    }

    private static async Task EveryPropertyComesOutAsItWentIn()
    {
        var sent = await Node.SendAsync(queue, "x", new SendOptions
        {
            Priority = 6, Label = "caf\u00e9 & + =", CorrelationId = "c 1", ResponseQueue = "box-1/replies", AppSpecific = 4294967295,
            TimeToReachQueueMs = 60000, TimeToBeReceivedMs = 70000, Acknowledge = "full", DeadLetter = "off", Journal = "on",
            Headers = new Dictionary<string, string> { ["flight"] = "BA 123", ["z\u00fc"] = "%" },
        });
        Same(sent.Durability == "sync", sent.IsDurable);
        var message = (await Take()).Message;
        Same(sent.Identity, message.Identity);
        Same("6 caf\u00e9 & + = c 1 box-1/replies 4294967295 60000 70000 full off on", string.Join(" ", message.Priority, message.Label, message.CorrelationId, message.ResponseQueue, message.AppSpecific, message.TimeToReachQueueMs, message.TimeToBeReceivedMs, message.Acknowledge, message.DeadLetter, message.Journal));
        Same("flight=BA 123;z\u00fc=%", string.Join(";", message.Headers.Select(header => header.Key + "=" + header.Value)));
    }

    private static async Task DelayedExpressAndKeyed()
    {
        await Node.SendAsync(queue, "later", new SendOptions { DeliverAfterMs = 100 });
        Same(null, await Node.ReceiveAsync(queue));
        Same("later", (await Take(new ReceiveOptions { WaitMs = 5000 })).Message.Text);
        Same("volatile", (await Node.SendAsync(queue, "express", new SendOptions { Delivery = "express" })).Durability);
        var first = await Node.SendAsync(queue, "1", new SendOptions { SendKey = "k", WaitMs = 10 });
        Same(first.Identity, (await Node.SendAsync(queue, "2", new SendOptions { SendKey = "k" })).Identity);
    }

    private static async Task RefusalsHaveCodesAndDetails()
    {
        Same("Bags", (await Refused("NAME_INVALID", () => Node.SendAsync("Bags", "x"))).Details["name"]);
        await Refused("NAME_INVALID", () => Node.SendAsync("a/b/c", "x"));
        var error = await Refused("PROPERTY_INVALID", () => Node.SendAsync("bags", "x", new SendOptions { Priority = 8 }));
        Same("priority", error.Details["property"]);
        Same(true, (long)(await Refused("MESSAGE_TOO_LARGE", () => Node.SendAsync("bags", new byte[400000]))).Details["bytesMax"] > 0);
        await Node.CreateQueueAsync(queue, new Dictionary<string, object> { ["bytesLimit"] = 20000 });
        error = await Refused("QUEUE_FULL", async () =>
        {
            for (var i = 0; i < 9; i++) await Node.SendAsync(queue, new byte[9000]);
        });
        Same(true, error.IsRetryable);
        await Refused("LEASE_UNKNOWN", () => Node.AckAsync("none"));
        await Refused("NODE_UNREACHABLE", () => new RingmailNode("/nonexistent/ringmail.sock").SendAsync("bags", "x"));
    }

    private static async Task LeasesEndInFourWays()
    {
        foreach (var label in new[] { "acked", "given up" }) await Node.SendAsync(queue, "x", new SendOptions { Label = label });
        var received = await Take(new ReceiveOptions { LeaseMs = 20000 });
        Same("20000 1 0", string.Join(" ", received.LeaseMs, received.DeliveryCount, received.Hops));
        await received.ExtendAsync(60000);
        await received.NackAsync(0);
        var again = await Take();
        Same(received.Message.Identity + 2, again.Message.Identity + again.DeliveryCount);
        await again.AckAsync();
        await Refused("LEASE_UNKNOWN", () => again.AckAsync());
        var givenUp = await Take();
        await givenUp.DeadLetterAsync("no such flight");
        var letter = await Node.ReceiveAsync("$dead", new ReceiveOptions { By = "last" });
        Same(givenUp.Message.Identity, letter.Message.Previous);
        Same("no such flight", ((IDictionary<string, object>)letter.Message.History[0])["reason"]);
        await letter.NackAsync(0);
        await Node.RedriveAsync("$dead", letter.LookupId);
        Same("given up", (await Take()).Message.Label);
    }

    private static async Task Selectors()
    {
        var identities = new List<string>();
        foreach (var priority in new[] { 3, 5, 3, 1 })
        {
            var options = new SendOptions { Priority = priority, CorrelationId = "c" + identities.Count };
            identities.Add((await Node.SendAsync(queue, identities.Count.ToString(), options)).Identity);
        }
        var first = await Node.PeekAsync(queue);
        Same(queue + " 1 1", string.Join(" ", first.Queue, first.BodyBytes, first.Message.Text));
        Same("", (await Node.PeekAsync(queue, new PeekOptions { WithBody = false })).Message.Text);
        var last = await Node.PeekAsync(queue, new PeekOptions { By = "last" });
        Same("3", last.Message.Text);
        Same("0", (await Node.PeekAsync(queue, new PeekOptions { After = first.Place })).Message.Text);
        Same("2", (await Node.PeekAsync(queue, new PeekOptions { Before = last.Place })).Message.Text);
        Same("2", (await Node.PeekAsync(queue, new PeekOptions { ArrivedAfter = first.LookupId })).Message.Text);
        Same("2", (await Take(new ReceiveOptions { Identity = identities[2] })).Message.Text);
        Same("3", (await Take(new ReceiveOptions { CorrelationId = "c3" })).Message.Text);
        Same("1", (await Take(new ReceiveOptions { LookupId = first.LookupId })).Message.Text);
        await Refused("MESSAGE_NOT_FOUND", () => Node.ReceiveAsync(queue, new ReceiveOptions { LookupId = first.LookupId, WaitMs = 20 }));
        await Refused("REQUEST_INVALID", () => Node.PeekAsync(queue, new PeekOptions { By = "last", LookupId = 1 }));
        Same("0", (await Take()).Message.Text);
        using (var soon = new CancellationTokenSource(100))
        {
            try
            {
                await Node.ReceiveAsync(queue, new ReceiveOptions { WaitMs = 60000 }, soon.Token);
                throw new Exception("a cancelled wait was answered");
            }
            catch (OperationCanceledException)
            {
                // That is the promise.
            }
        }
    }

    private static async Task AStreamHoldsNoMoreThanItsPrefetch()
    {
        for (byte i = 0; i < 5; i++) await Node.SendAsync(queue, new byte[] { i, 255 });
        var got = new List<int>();
        using (var stream = await Node.StreamAsync(queue, new StreamOptions { Prefetch = 2, WhenClosed = "nack" }))
        {
            while (got.Count < 5)
            {
                var received = await stream.NextAsync();
                got.Add(received.Message.Body[0]);
                Same(255, (int)received.Message.Body[1]);
                if (got.Count < 4) await received.AckAsync();
            }
            using (var soon = new CancellationTokenSource(100))
            {
                try
                {
                    await stream.NextAsync(soon.Token);
                    throw new Exception("beyond the prefetch");
                }
                catch (OperationCanceledException)
                {
                    // Nothing more came.
                }
            }
        }
        Same("0 1 2 3 4", string.Join(" ", got));
        Same(3, (int)(await Take(new ReceiveOptions { WaitMs = 5000 })).Message.Body[0]);
        await Refused("NAME_INVALID", () => Node.StreamAsync("No"));
    }

    private static async Task ServingAcknowledgesGivesBackAndGivesUp()
    {
        foreach (var text in new[] { "fine", "later", "never" }) await Node.SendAsync(queue, text);
        var seen = new List<string>();
        var errors = new List<string>();
        using (var stop = new CancellationTokenSource())
        {
            await Node.ServeAsync(queue, received =>
            {
                seen.Add(received.Message.Text + received.DeliveryCount);
                if (seen.Count == 4) stop.Cancel();
                if (received.Message.Text == "later" && received.DeliveryCount == 1) throw new InvalidOperationException("not now");
                if (received.Message.Text == "never") throw new GiveUpException("never");
                return Task.CompletedTask;
            }, stop.Token, new ReceiveOptions { WaitMs = 1000 }, error => errors.Add(error.Message));
        }
        Same("fine1 later1 later2 never1", string.Join(" ", seen.OrderBy(text => text, StringComparer.Ordinal)));
        Same("not now", string.Join(" ", errors));
        Same(null, await Node.ReceiveAsync(queue));
    }

    private static async Task ATransactionDoesAllOfIt()
    {
        foreach (var text in new[] { "in", "bad", "aside" }) await Node.SendAsync(queue, text);
        var transaction = new RingmailTransaction()
            .Ack(await Take())
            .DeadLetter(await Take(), "bad")
            .Move(await Take(), queue + ";later")
            .Send(queue + "-out", Bytes, new MessageOptions { Priority = 5, Headers = new Dictionary<string, string> { ["a"] = "b\"\\" } })
            .Send(queue + "-out", Encoding.UTF8.GetBytes("second"))
            .Position("trigger/here", new byte[] { 0, 1 });
        var sent = await Node.CommitAsync(transaction);
        Same(2, sent.Identities.Count);
        var received = await Node.ReceiveAsync(queue + "-out");
        Same(Convert.ToBase64String(Bytes), Convert.ToBase64String(received.Message.Body));
        Same("5 b\"\\ 2", received.Message.Priority + " " + received.Message.Headers["a"] + " " + received.Message.Transaction["count"]);
        Same("aside", (await Node.ReceiveAsync(queue + ";later")).Message.Text);
        Same("AAE=", Convert.ToBase64String(await Node.PositionAsync("trigger/here")));
        Same(null, await Node.PositionAsync("trigger/nowhere"));
        await Refused("LEASE_UNKNOWN", () => Node.CommitAsync(transaction));
    }

    private static async Task AProducerIsStoredOnce()
    {
        var producer = new RingmailProducer(Node, "sharp-7");
        Same(1L, await producer.NextAsync());
        var first = await producer.SendAsync(queue, Encoding.UTF8.GetBytes("one"));
        Same(first.Identity, (await Node.SendAsync(queue, "one", new SendOptions { By = new ProducerNumber("sharp-7", 1) })).Identity);
        await producer.CommitAsync(new RingmailTransaction().Send(queue, Encoding.UTF8.GetBytes("two")));
        Same(3L, await new RingmailProducer(Node, "sharp-7").NextAsync());
        await Refused("PROPERTY_INVALID", () => producer.SendAsync(queue, new byte[0], new SendOptions { Priority = 9 }));
        await producer.SendAsync(queue, Encoding.UTF8.GetBytes("three"));
        Same("one two three", string.Join(" ", (await Take()).Message.Text, (await Take()).Message.Text, (await Take()).Message.Text));
        await Node.RetireProducerAsync("sharp-7");
        Same(1L, await new RingmailProducer(Node, "sharp-7").NextAsync());
    }

    private static async Task ConnectionsThatBrokeAreReplaced()
    {
        var producer = new RingmailProducer(Node, "sharp-9");
        await producer.SendAsync(queue, Encoding.UTF8.GetBytes("before"));
        Console.WriteLine("RESTART");
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 20; i++) await producer.SendAsync(queue, Encoding.UTF8.GetBytes(i.ToString()));
        });
        Same("restarted", Console.ReadLine());
        await sending;
        Same("before", (await Take()).Message.Text);
        for (var i = 0; i < 20; i++) Same(i.ToString(), (await Take()).Message.Text);
        Same(null, await Node.ReceiveAsync(queue));
    }

    private static async Task Queues()
    {
        await Node.CreateQueueAsync(queue, new Dictionary<string, object> { ["bytesLimit"] = 65536, ["whenFull"] = "block", ["retryFactor"] = 1.5 });
        await Refused("QUEUE_EXISTS", () => Node.CreateQueueAsync(queue));
        await Node.SetQueueAsync(queue, new Dictionary<string, object> { ["state"] = "paused" });
        await Node.SendAsync(queue, "x");
        Same(null, await Node.ReceiveAsync(queue));
        var one = await Node.QueueAsync(queue);
        Same("1 65536 block paused", string.Join(" ", one["ready"], one["bytesLimit"], one["whenFull"], one["state"]));
        Same(true, (await Node.QueuesAsync()).Any(other => (string)other["name"] == queue));
        await Node.MoveAsync(queue, (await Node.PeekAsync(queue)).LookupId, queue + ";later");
        Same(1L, await Node.PurgeAsync(queue + ";later"));
        await Node.DeleteQueueAsync(queue);
        await Refused("QUEUE_NOT_FOUND", () => Node.QueueAsync(queue));
    }

    private static async Task OneWhoOpensItAloneIsTheOnlyReader()
    {
        await Node.SendAsync(queue, "x");
        var handle = await Node.OpenQueueAsync(queue, share: "alone");
        Same(true, (await Refused("SHARING_VIOLATION", () => Node.ReceiveAsync(queue))).IsRetryable);
        await (await Take(new ReceiveOptions { Handle = handle })).AckAsync();
        await Node.CloseHandleAsync(handle);
        await Refused("HANDLE_UNKNOWN", () => Node.ReceiveAsync(queue, new ReceiveOptions { Handle = handle }));
    }

    private static async Task State()
    {
        Same(true, new[] { "green", "red" }.Contains((string)(await Node.HealthAsync())["status"]));
        Same("box-1", (await Node.StatsAsync())["node"]);
        Same(3, (await Node.VersionAsync()).Split('.').Length);
        var sent = await Node.SendAsync(queue, "x");
        Same(0, (await Node.HolesAsync()).Count);
        Same(0L, await Node.CloseHolesAsync(queue));
        Same("box-1", (await Node.LedgerAsync("box-1"))["node"]);
        Same(1, (await Node.PingAsync("box-1")).Count);
        Same("stored@box-1", (string)(await Node.TraceAsync(sent.Identity))["custody"]);
        Same("kept", await Node.OutcomeAsync(sent.Identity, (await Take()).Message.EpochCounter));
    }

    private static async Task OverTlsATokenHasItsRights()
    {
        var url = new Uri(Environment.GetEnvironmentVariable("RINGMAIL_URL"));
        var token = Environment.GetEnvironmentVariable("RINGMAIL_TOKEN");
        using (var remote = new RingmailNode(url, token, (sender, certificate, chain, errors) => certificate.Subject == "CN=ringmail-test"))
        {
            await remote.SendAsync(queue, Bytes);
            using (var stream = await remote.StreamAsync(queue))
            {
                var received = await stream.NextAsync();
                Same(Convert.ToBase64String(Bytes), Convert.ToBase64String(received.Message.Body));
                await received.AckAsync();
            }
            Same("admin", (await Refused("ACCESS_DENIED", () => remote.PurgeAsync(queue))).Details["needed"]);
        }
        await Refused("TOKEN_INVALID", () => new RingmailNode(url, "guessed", (sender, certificate, chain, errors) => true).SendAsync(queue, "x"));
        await Refused("NODE_UNREACHABLE", () => new RingmailNode(url, token).SendAsync(queue, "x"));
    }

    private static async Task<Received> Take(ReceiveOptions options = null)
    {
        var received = await Node.ReceiveAsync(queue, options);
        if (received == null) throw new Exception("nothing was there");
        return received;
    }

    private static async Task<RingmailException> Refused(string code, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (RingmailException error)
        {
            if (error.Code != code) throw;
            return error;
        }
        throw new Exception("not refused as " + code);
    }

    private static void Same(object expected, object actual)
    {
        if (!Equals(expected, actual)) throw new Exception("expected " + expected + ", was " + actual);
    }
}
