// Ringmail's local API for .NET: one file, nothing but the base library. C# 7, .NET 5 or later, .NET Framework 4.8, Mono 6.8.
//
//     using (var node = new RingmailNode(".ringmail/ringmail.sock"))
//     {
//         await node.SendAsync("bags", "{\"tag\":\"0117814872\"}", new SendOptions { Priority = 6 });
//         var received = await node.ReceiveAsync("bags", new ReceiveOptions { WaitMs = 5000 });
//         if (received != null)
//         {
//             Console.WriteLine(received.Message.Text);
//             await received.AckAsync();
//         }
//     }
//
// Bodies go and come as bytes, exactly. Times are milliseconds, as their names say. Whatever the node refuses, and whatever breaks, is a
// RingmailException with a code: decide by Code. Nothing is ever sent twice by itself; who wants to repeat safely names a SendKey, or is
// a RingmailProducer. One RingmailNode may be used by many threads. The transport is HTTP/1.1 on a socket of its own: the one way that
// every runtime above has to a Unix socket.
#pragma warning disable 8600, 8601, 8602, 8603, 8604, 8605, 8618, 8625 // written without nullable annotations
#pragma warning disable 1591 // members whose names say it all

using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Ringmail
{
    /// <summary>
    /// What was refused or broke. Code is API, Details belong to it, the text is for people. Besides the codes of the node there are two
    /// of this side: NODE_UNREACHABLE (it can be asked again) and IN_DOUBT (the connection broke after a request that must not happen
    /// twice: it was done or not).
    /// </summary>
    public sealed class RingmailException : Exception
    {
        private static readonly string[] Later = { "BUSY", "NODE_STOPPED", "QUEUE_FULL", "SHARING_VIOLATION", "NODE_UNREACHABLE" };
        private static readonly string[] Repeated = { "BUSY", "NODE_STOPPED", "NODE_UNREACHABLE", "IN_DOUBT" };

        public RingmailException(string code, IDictionary<string, object> details = null, Exception inner = null)
            : base(code + " " + Json.Write(details ?? new Dictionary<string, object>()), inner)
        {
            Code = code;
            Details = details ?? new Dictionary<string, object>();
        }

        public string Code { get; }

        /// <summary>Text, long, double, bool, null, lists and dictionaries, as JSON has them.</summary>
        public IDictionary<string, object> Details { get; }

        /// <summary>Whether nothing was done, and the same may be asked again later.</summary>
        public bool IsRetryable => Later.Contains(Code);

        /// <summary>Whether it says nothing about what became of the request: a numbered one is repeated.</summary>
        internal bool SaysNothing => Repeated.Contains(Code);
    }

    /// <summary>Properties of a message; what is null is not said.</summary>
    public class MessageOptions
    {
        public string ContentType { get; set; }
        public int? Priority { get; set; }
        public string Label { get; set; }
        public string CorrelationId { get; set; }
        public string ResponseQueue { get; set; }
        public long? AppSpecific { get; set; }
        public IDictionary<string, string> Headers { get; set; }
        public long? TimeToReachQueueMs { get; set; }
        public long? TimeToBeReceivedMs { get; set; }
        public long? DeliverAfterMs { get; set; }
        /// <summary>none, reach, receive, full.</summary>
        public string Acknowledge { get; set; }
        /// <summary>on, off.</summary>
        public string DeadLetter { get; set; }
        /// <summary>off, on.</summary>
        public string Journal { get; set; }

        internal Dictionary<string, object> Fields()
        {
            return new Dictionary<string, object>
            {
                ["contentType"] = ContentType,
                ["priority"] = Priority,
                ["label"] = Label,
                ["correlationId"] = CorrelationId,
                ["responseQueue"] = ResponseQueue,
                ["appSpecific"] = AppSpecific,
                ["timeToReachQueueMs"] = TimeToReachQueueMs,
                ["timeToBeReceivedMs"] = TimeToBeReceivedMs,
                ["deliverAfterMs"] = DeliverAfterMs,
                ["acknowledge"] = Acknowledge,
                ["deadLetter"] = DeadLetter,
                ["journal"] = Journal,
            };
        }
    }

    /// <summary>A producer's name and the number of a request. The same one again is the same request, for ever.</summary>
    public sealed class ProducerNumber
    {
        public ProducerNumber(string producer, long number)
        {
            Producer = producer;
            Number = number;
        }

        public string Producer { get; }
        public long Number { get; }
    }

    public sealed class SendOptions : MessageOptions
    {
        /// <summary>recoverable, express (in memory only).</summary>
        public string Delivery { get; set; }
        /// <summary>Sent under the same key before, it is not stored again.</summary>
        public string SendKey { get; set; }
        /// <summary>How long to wait for room in a queue that blocks.</summary>
        public long? WaitMs { get; set; }
        public ProducerNumber By { get; set; }
    }

    /// <summary>Which message: at most one of them; none is the most urgent one.</summary>
    public class Selector
    {
        /// <summary>first, last.</summary>
        public string By { get; set; }
        /// <summary>The neighbour of a place: priority and lookup id, "3.120".</summary>
        public string After { get; set; }
        public string Before { get; set; }
        public long? LookupId { get; set; }
        public string Identity { get; set; }
        public string CorrelationId { get; set; }
        /// <summary>Of who opened the queue.</summary>
        public string Handle { get; set; }
        /// <summary>How long to wait for a message.</summary>
        public long WaitMs { get; set; }

        internal virtual Dictionary<string, object> Fields()
        {
            return new Dictionary<string, object>
            {
                ["by"] = By,
                ["after"] = After,
                ["before"] = Before,
                ["lookupId"] = LookupId,
                ["identity"] = Identity,
                ["correlationId"] = CorrelationId,
                ["handle"] = Handle,
                ["waitMs"] = WaitMs,
                ["bodyAs"] = "base64",
            };
        }
    }

    public sealed class ReceiveOptions : Selector
    {
        /// <summary>How long the message is ours.</summary>
        public long LeaseMs { get; set; } = 30000;

        internal override Dictionary<string, object> Fields()
        {
            var fields = base.Fields();
            fields["leaseMs"] = LeaseMs;
            return fields;
        }
    }

    public sealed class PeekOptions : Selector
    {
        public bool WithBody { get; set; } = true;
        /// <summary>A lookup id: the next message to arrive after it, leased and delayed ones, too.</summary>
        public long? ArrivedAfter { get; set; }

        internal override Dictionary<string, object> Fields()
        {
            var fields = base.Fields();
            fields["arrivedAfter"] = ArrivedAfter;
            fields["bodies"] = WithBody ? null : "without";
            return fields;
        }
    }

    public sealed class StreamOptions
    {
        /// <summary>Leases outstanding at most.</summary>
        public int Prefetch { get; set; } = 16;
        public long LeaseMs { get; set; } = 30000;
        public string Handle { get; set; }
        /// <summary>keep; nack: what is still leased when the connection ends goes back at once.</summary>
        public string WhenClosed { get; set; }
    }

    /// <summary>A message as its sender made it. What was not set is null.</summary>
    public sealed class Message
    {
        internal Message(IDictionary<string, object> fields)
        {
            Fields = fields;
            Body = Convert.FromBase64String((string)Json.Get(fields, "bodyBase64") ?? "");
            var headers = new Dictionary<string, string>();
            if (Json.Get(fields, "headers") is IDictionary<string, object> given)
                foreach (var header in given) headers[header.Key] = (string)header.Value;
            Headers = headers;
        }

        /// <summary>All that the node said of it, the body as base64.</summary>
        public IDictionary<string, object> Fields { get; }
        /// <summary>Names it from its sender to its last receiver; the key to tell repeats by.</summary>
        public string Identity => (string)Fields["identity"];
        public byte[] Body { get; }
        /// <summary>The body as UTF-8.</summary>
        public string Text => Encoding.UTF8.GetString(Body);
        public int Priority => (int)(long)Fields["priority"];
        public string ContentType => (string)Json.Get(Fields, "contentType");
        public string Label => (string)Json.Get(Fields, "label");
        public string CorrelationId => (string)Json.Get(Fields, "correlationId");
        public string ResponseQueue => (string)Json.Get(Fields, "responseQueue");
        public long? AppSpecific => (long?)Json.Get(Fields, "appSpecific");
        public IDictionary<string, string> Headers { get; }
        public long? TimeToReachQueueMs => (long?)Json.Get(Fields, "timeToReachQueueMs");
        public long? TimeToBeReceivedMs => (long?)Json.Get(Fields, "timeToBeReceivedMs");
        public long? DeliverAfterMs => (long?)Json.Get(Fields, "deliverAfterMs");
        public string Acknowledge => (string)Json.Get(Fields, "acknowledge") ?? "none";
        public string DeadLetter => (string)Json.Get(Fields, "deadLetter") ?? "on";
        public string Journal => (string)Json.Get(Fields, "journal") ?? "off";
        /// <summary>Of a dead letter: the identity of the message it was.</summary>
        public string Previous => (string)Json.Get(Fields, "previous");
        /// <summary>Of a dead letter: class, node and reason of each time it was given up.</summary>
        public IList<object> History => (IList<object>)Json.Get(Fields, "history") ?? new List<object>();
        /// <summary>id, index and count of the transaction that sent it.</summary>
        public IDictionary<string, object> Transaction => (IDictionary<string, object>)Json.Get(Fields, "transaction");
        /// <summary>Of the opening of its origin's store, as Outcome asks for it.</summary>
        public long EpochCounter => (long)((IDictionary<string, object>)Fields["epoch"])["counter"];
        public string MaybeDuplicate => (string)Json.Get(Fields, "maybeDuplicate");
    }

    /// <summary>A message that was looked at and left where it is.</summary>
    public class Peeked
    {
        internal readonly IDictionary<string, object> Answer;

        internal Peeked(IDictionary<string, object> answer)
        {
            Answer = answer;
            Message = new Message((IDictionary<string, object>)answer["message"]);
        }

        public Message Message { get; }
        public long DeliveryCount => (long)Answer["deliveryCount"];
        public long MoveCount => (long)Answer["moveCount"];
        public long LookupId => (long)Answer["lookupId"];
        public long Hops => (long)Answer["hops"];
        public long ElapsedMs => (long)Answer["elapsedMs"];
        /// <summary>The node had given it up as missing when it came.</summary>
        public bool Late => Json.Get(Answer, "late") is bool late && late;
        /// <summary>It waited for a connection on its way.</summary>
        public bool Replayed => (bool)(Json.Get(Answer, "replayed") ?? false);
        /// <summary>Of a look.</summary>
        public string Queue => (string)Json.Get(Answer, "queue");
        /// <summary>Of a look.</summary>
        public long BodyBytes => (long)(Json.Get(Answer, "bodyBytes") ?? (long)Message.Body.Length);
        /// <summary>Where it stands in its queue: for After and Before.</summary>
        public string Place => Message.Priority + "." + LookupId;
    }

    /// <summary>A message under lease: ours until the lease ends by one of these methods, or at its deadline.</summary>
    public sealed class Received : Peeked
    {
        private readonly RingmailNode node;

        internal Received(RingmailNode node, IDictionary<string, object> answer) : base(answer)
        {
            this.node = node;
        }

        public string Lease => (string)Answer["lease"];
        public long LeaseMs => (long)Answer["leaseMs"];

        /// <summary>Received: once this is done it is gone for good.</summary>
        public Task AckAsync() => node.AckAsync(Lease);
        /// <summary>Back to its place, visible after the delay, or after what the back-off of its queue says.</summary>
        public Task NackAsync(long? delayMs = null) => node.NackAsync(Lease, delayMs);
        /// <summary>Given up: into the dead letter queue, with its history.</summary>
        public Task DeadLetterAsync(string reason = "") => node.DeadLetterAsync(Lease, reason);
        /// <summary>From now the lease holds for so long.</summary>
        public Task ExtendAsync(long leaseMs = 30000) => node.ExtendAsync(Lease, leaseMs);
    }

    /// <summary>What a send or a transaction was answered.</summary>
    public sealed class Sent
    {
        internal Sent(IDictionary<string, object> answer)
        {
            var many = Json.Get(answer, "identities") as IList<object>;
            Identities = many == null ? new[] { (string)answer["identity"] } : many.Cast<string>().ToArray();
            Durability = (string)answer["durability"];
        }

        /// <summary>Of its sends, in their order. None, or empty, for an older number of a producer, which was stored long ago.</summary>
        public IReadOnlyList<string> Identities { get; }
        public string Identity => Identities.Count == 0 ? "" : Identities[0];
        /// <summary>sync, interval, volatile, unknown.</summary>
        public string Durability { get; }
        /// <summary>True when a power cut would not take it back.</summary>
        public bool IsDurable => Durability == "sync";
    }

    /// <summary>Thrown by a handler of ServeAsync: the message goes to the dead letter queue, for this reason.</summary>
    public sealed class GiveUpException : Exception
    {
        public GiveUpException(string reason) : base(reason)
        {
        }
    }

    /// <summary>A node, by its socket or over the network. Nothing is opened before it is needed; broken connections are replaced.</summary>
    public sealed class RingmailNode : IDisposable
    {
        public const string SocketDefault = ".ringmail/ringmail.sock";
        private readonly Transport transport;

        /// <summary>Without a path: that of the environment variable RINGMAIL_SOCKET, or the default one.</summary>
        public RingmailNode(string socketPath = null)
        {
            var path = socketPath ?? Environment.GetEnvironmentVariable("RINGMAIL_SOCKET");
            transport = new Transport(string.IsNullOrEmpty(path) ? SocketDefault : path);
        }

        /// <summary>
        /// Over the network: https://host:port, or http:// for a node of this machine. The certificate is judged as usual unless
        /// `isTrusted` judges it.
        /// </summary>
        public RingmailNode(Uri url, string token, RemoteCertificateValidationCallback isTrusted = null)
        {
            transport = new Transport(url, token, isTrusted);
        }

        /// <summary>What an answer may take beyond the wait that was asked for.</summary>
        public int AnswerMs
        {
            get { return transport.AnswerMs; }
            set { transport.AnswerMs = value; }
        }

        public void Dispose() => transport.Dispose();

        /// <summary>Stores a message for a queue of this node ("bags") or of another ("central/bags"), and says how durable it is.</summary>
        public Task<Sent> SendAsync(string address, byte[] body, SendOptions options = null)
        {
            return PostSentAsync(SendPath(address, options ?? new SendOptions()), body, options?.WaitMs ?? 0);
        }

        /// <summary>The same, of text in UTF-8: text/plain unless the options say otherwise.</summary>
        public Task<Sent> SendAsync(string address, string text, SendOptions options = null)
        {
            var path = SendPath(address, options ?? new SendOptions(), "text/plain");
            return PostSentAsync(path, Encoding.UTF8.GetBytes(text), options?.WaitMs ?? 0);
        }

        /// <summary>All of it in one frame on the disk, or nothing.</summary>
        public Task<Sent> CommitAsync(RingmailTransaction transaction, ProducerNumber by = null)
        {
            return PostSentAsync(CommitPath(by), transaction.ToJson(), 0);
        }

        /// <summary>The most urgent message, or the selected one, leased; null when none came within the wait.</summary>
        public async Task<Received> ReceiveAsync(
            string queue, ReceiveOptions options = null, CancellationToken cancel = default(CancellationToken))
        {
            options = options ?? new ReceiveOptions();
            var path = "/v1/receive/" + Quote(queue) + Query(options.Fields());
            var asking = new Asking { WaitMs = options.WaitMs, Cancel = cancel };
            var answer = await transport.AskAsync("POST", path, null, asking).ConfigureAwait(false);
            return answer == null ? null : new Received(this, answer);
        }

        /// <summary>The same message, left where it is.</summary>
        public async Task<Peeked> PeekAsync(
            string queue, PeekOptions options = null, CancellationToken cancel = default(CancellationToken))
        {
            options = options ?? new PeekOptions();
            var path = "/v1/peek/" + Quote(queue) + Query(options.Fields());
            var asking = new Asking { WaitMs = options.WaitMs, Cancel = cancel };
            var answer = await transport.AskAsync("GET", path, null, asking).ConfigureAwait(false);
            return answer == null ? null : new Peeked(answer);
        }

        /// <summary>Messages as they come, each leased, on a connection of its own. Dispose it to end it.</summary>
        public async Task<MessageStream> StreamAsync(string queue, StreamOptions options = null)
        {
            options = options ?? new StreamOptions();
            var path = "/v1/stream/" + Quote(queue) + Query(new Dictionary<string, object>
            {
                ["prefetch"] = options.Prefetch,
                ["leaseMs"] = options.LeaseMs,
                ["handle"] = options.Handle,
                ["whenClosed"] = options.WhenClosed,
                ["bodyAs"] = "base64",
            });
            return new MessageStream(this, transport, await transport.OpenStreamAsync(path).ConfigureAwait(false));
        }

        /// <summary>
        /// Receives until it is cancelled, through restarts of the node, too. What the handler returns from is acknowledged, what it
        /// throws for goes back, what it throws GiveUpException for is a dead letter. A handler may get a message again: it writes the
        /// identity down with the effect. A refusal that no later try can help is thrown.
        /// </summary>
        public async Task ServeAsync(
            string queue,
            Func<Received, Task> handler,
            CancellationToken stop,
            ReceiveOptions options = null,
            Action<Exception> onError = null)
        {
            options = options ?? new ReceiveOptions { WaitMs = 25000 };
            var pauseMs = 20;
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    var received = await ReceiveAsync(queue, options, stop).ConfigureAwait(false);
                    pauseMs = 20;
                    if (received != null) await HandleAsync(received, handler, onError).ConfigureAwait(false);
                    continue;
                }
                catch (OperationCanceledException) when (stop.IsCancellationRequested)
                {
                    return;
                }
                catch (RingmailException error) when (error.IsRetryable || error.Code == "LEASE_UNKNOWN" || error.Code == "IN_DOUBT")
                {
                    // After the latter two the message is gone, or comes again.
                    onError?.Invoke(error);
                }
                await Task.Delay(pauseMs).ConfigureAwait(false);
                pauseMs = Math.Min(1000, pauseMs * 2);
            }
        }

        private static async Task HandleAsync(Received received, Func<Received, Task> handler, Action<Exception> onError)
        {
            try
            {
                await handler(received).ConfigureAwait(false);
            }
            catch (GiveUpException error)
            {
                await received.DeadLetterAsync(error.Message).ConfigureAwait(false);
                return;
            }
            catch (Exception error)
            {
                onError?.Invoke(error);
                await received.NackAsync().ConfigureAwait(false);
                return;
            }
            await received.AckAsync().ConfigureAwait(false);
        }

        public Task AckAsync(string lease) => AskAsync("POST", "/v1/leases/" + Quote(lease) + "/ack");

        public Task NackAsync(string lease, long? delayMs = null)
        {
            return AskAsync("POST", "/v1/leases/" + Quote(lease) + "/nack" + Query("delayMs", delayMs));
        }

        public Task DeadLetterAsync(string lease, string reason = "")
        {
            return AskAsync("POST", "/v1/leases/" + Quote(lease) + "/dead-letter" + Query("reason", reason));
        }

        public Task ExtendAsync(string lease, long leaseMs = 30000)
        {
            return AskAsync("POST", "/v1/leases/" + Quote(lease) + "/extend" + Query("leaseMs", leaseMs));
        }

        /// <summary>Makes a queue with these properties (docs/queues.md), and the defaults for others.</summary>
        public Task CreateQueueAsync(string queue, IDictionary<string, object> properties = null)
        {
            return AskAsync("PUT", QueuePath(queue), properties ?? new Dictionary<string, object>());
        }

        /// <summary>Changes these properties and no other.</summary>
        public Task SetQueueAsync(string queue, IDictionary<string, object> properties)
        {
            return AskAsync("PATCH", QueuePath(queue), properties);
        }

        /// <summary>Ends its messages, and the queue.</summary>
        public Task DeleteQueueAsync(string queue) => AskAsync("DELETE", QueuePath(queue));

        /// <summary>All queues, with properties and counts.</summary>
        public async Task<IList<IDictionary<string, object>>> QueuesAsync()
        {
            var answer = await AskAsync("GET", "/v1/queues").ConfigureAwait(false);
            return ((IList<object>)answer["queues"]).Cast<IDictionary<string, object>>().ToList();
        }

        /// <summary>One of them.</summary>
        public Task<IDictionary<string, object>> QueueAsync(string queue) => AskAsync("GET", QueuePath(queue));

        /// <summary>Ends what is ready or delayed; says how many that were.</summary>
        public async Task<long> PurgeAsync(string queue) => (long)(await AskAsync("POST", QueuePath(queue) + "/purge").ConfigureAwait(false))["count"];

        /// <summary>A ready message, to a subqueue of its queue ("bags;later") or back.</summary>
        public Task MoveAsync(string queue, long lookupId, string to)
        {
            return AskAsync("POST", QueuePath(queue) + "/move" + Query(new Dictionary<string, object> { ["lookupId"] = lookupId, ["to"] = to }));
        }

        /// <summary>A dead letter becomes a message again, for `to` or for where it was going.</summary>
        public Task<Sent> RedriveAsync(string queue, long lookupId, string to = null)
        {
            var path = QueuePath(queue) + "/redrive" + Query(new Dictionary<string, object> { ["lookupId"] = lookupId, ["to"] = to });
            return PostSentAsync(path, new byte[0], 0);
        }

        /// <summary>A handle for receive, peek or send; `share: "alone"` keeps other readers out while it is open.</summary>
        public async Task<string> OpenQueueAsync(string queue, string access = "receive", string share = "all", long idleMs = 30000)
        {
            var query = Query(new Dictionary<string, object> { ["access"] = access, ["share"] = share, ["idleMs"] = idleMs });
            return (string)(await AskAsync("POST", QueuePath(queue) + "/open" + query).ConfigureAwait(false))["handle"];
        }

        public Task CloseHandleAsync(string handle) => AskAsync("DELETE", "/v1/handles/" + Quote(handle));

        /// <summary>What became of a send that was IN_DOUBT: kept, absent, unknown.</summary>
        public async Task<string> OutcomeAsync(string identity, long? epoch = null)
        {
            var query = Query(new Dictionary<string, object> { ["identity"] = identity, ["epoch"] = epoch });
            return (string)(await AskAsync("GET", "/v1/outcome" + query).ConfigureAwait(false))["outcome"];
        }

        /// <summary>Numbers that the node waits for, or has given up, of streams that end there: stream, from, to, state, leftMs, held.</summary>
        public async Task<IList<object>> HolesAsync() =>
            (IList<object>)(await AskAsync("GET", "/v1/holes").ConfigureAwait(false))["holes"];

        /// <summary>What became of all that a node sent, as far as this one knows: streams, and its digest.</summary>
        public Task<IDictionary<string, object>> LedgerAsync(string node) => AskAsync("GET", "/v1/devices/" + Quote(node));

        /// <summary>Gives up all holes of a queue, or of one stream: so many numbers are missing now.</summary>
        public async Task<long> CloseHolesAsync(string of)
        {
            var query = Query(new Dictionary<string, object> { ["of"] = of });
            return (long)(await AskAsync("POST", "/v1/holes/close" + query).ConfigureAwait(false))["count"];
        }

        /// <summary>What a node, and those on the way to it, answer within the wait: node, hops, afterMs, at.</summary>
        public async Task<IList<object>> PingAsync(string node, long waitMs = 10000)
        {
            var query = Query(new Dictionary<string, object> { ["node"] = node, ["waitMs"] = waitMs });
            return (IList<object>)(await AskAsync("GET", "/v1/ping" + query).ConfigureAwait(false))["answers"];
        }

        /// <summary>Where a message is: custody (stored@node, received, ...), and answers of the nodes on its way.</summary>
        public Task<IDictionary<string, object>> TraceAsync(string identity, long waitMs = 10000) =>
            AskAsync("GET", "/v1/trace" + Query(new Dictionary<string, object> { ["identity"] = identity, ["waitMs"] = waitMs }));

        /// <summary>Forgets a producer: its name may begin at 1 again.</summary>
        public Task RetireProducerAsync(string producer) => AskAsync("DELETE", "/v1/producers/" + Quote(producer));

        /// <summary>A place that a transaction stored, null when there is none.</summary>
        public async Task<byte[]> PositionAsync(string name)
        {
            var answer = await AskAsync("GET", "/v1/positions/" + Quote(name)).ConfigureAwait(false);
            return answer == null ? null : Convert.FromBase64String((string)answer["valueBase64"]);
        }

        public Task<IDictionary<string, object>> StatsAsync() => AskAsync("GET", "/v1/stats");

        /// <summary>status, green or red, and its causes. Red is an answer, too.</summary>
        public Task<IDictionary<string, object>> HealthAsync() => AskAsync("GET", "/v1/health");

        public async Task<string> VersionAsync() => (string)(await AskAsync("GET", "/v1/version").ConfigureAwait(false))["version"];

        internal async Task<Sent> PostSentAsync(string path, byte[] body, long waitMs)
        {
            var asking = new Asking { WaitMs = waitMs, WhenBroken = "IN_DOUBT" };
            return new Sent(await transport.AskAsync("POST", path, body, asking).ConfigureAwait(false));
        }

        internal static string SendPath(string address, SendOptions options, string contentType = null, ProducerNumber by = null)
        {
            var parts = address.Split('/');
            if (parts.Length > 2 || parts.Contains(""))
            {
                var details = new Dictionary<string, object> { ["name"] = address, ["reason"] = "an address is <queue> or <node>/<queue>" };
                throw new RingmailException("NAME_INVALID", details);
            }
            var fields = options.Fields();
            fields["contentType"] = options.ContentType ?? contentType;
            fields["delivery"] = options.Delivery;
            fields["sendKey"] = options.SendKey;
            fields["waitMs"] = options.WaitMs;
            foreach (var header in options.Headers ?? new Dictionary<string, string>()) fields["header:" + header.Key] = header.Value;
            AddNumber(fields, by ?? options.By);
            return "/v1/send/" + string.Join("/", parts.Select(Quote)) + Query(fields);
        }

        internal static string CommitPath(ProducerNumber by)
        {
            var fields = new Dictionary<string, object>();
            AddNumber(fields, by);
            return "/v1/transactions" + Query(fields);
        }

        private static void AddNumber(IDictionary<string, object> fields, ProducerNumber by)
        {
            if (by == null) return;
            fields["producer"] = by.Producer;
            fields["number"] = by.Number;
        }

        private Task<IDictionary<string, object>> AskAsync(string method, string path, IDictionary<string, object> body = null)
        {
            return transport.AskAsync(method, path, body == null ? null : Encoding.UTF8.GetBytes(Json.Write(body)), new Asking());
        }

        private static string QueuePath(string queue) => "/v1/queues/" + Quote(queue);

        private static string Quote(string text) => Uri.EscapeDataString(text);

        private static string Query(string name, object value) => Query(new Dictionary<string, object> { [name] = value });

        private static string Query(IDictionary<string, object> fields)
        {
            var given = fields.Where(field => field.Value != null);
            var pairs = given.Select(field => Quote(field.Key) + "=" + Quote(Convert.ToString(field.Value, CultureInfo.InvariantCulture)));
            var query = string.Join("&", pairs);
            return query == "" ? "" : "?" + query;
        }
    }

    /// <summary>What is to be done in one frame, or not at all. Give back with NackAsync what was received for one that is not committed.</summary>
    public sealed class RingmailTransaction
    {
        private readonly List<object> steps = new List<object>();

        public RingmailTransaction Send(string address, byte[] body, MessageOptions options = null)
        {
            var step = new Dictionary<string, object> { ["do"] = "send", ["destination"] = address, ["bodyBase64"] = Convert.ToBase64String(body) };
            foreach (var field in (options ?? new MessageOptions()).Fields())
                if (field.Value != null) step[field.Key] = field.Value;
            if (options?.Headers != null) step["headers"] = options.Headers.ToDictionary(header => header.Key, header => (object)header.Value);
            return Add(step);
        }

        public RingmailTransaction Ack(Received received) => Add(new Dictionary<string, object> { ["do"] = "ack", ["lease"] = received.Lease });

        public RingmailTransaction DeadLetter(Received received, string reason = "")
        {
            return Add(new Dictionary<string, object> { ["do"] = "deadLetter", ["lease"] = received.Lease, ["reason"] = reason });
        }

        /// <summary>Into a subqueue of its queue, or back.</summary>
        public RingmailTransaction Move(Received received, string to)
        {
            return Add(new Dictionary<string, object> { ["do"] = "move", ["lease"] = received.Lease, ["to"] = to });
        }

        /// <summary>A place to be read again by PositionAsync; its name begins with trigger/.</summary>
        public RingmailTransaction Position(string name, byte[] value)
        {
            return Add(new Dictionary<string, object> { ["do"] = "position", ["name"] = name, ["valueBase64"] = Convert.ToBase64String(value) });
        }

        internal byte[] ToJson() => Encoding.UTF8.GetBytes(Json.Write(new Dictionary<string, object> { ["steps"] = steps }));

        private RingmailTransaction Add(Dictionary<string, object> step)
        {
            steps.Add(step);
            return this;
        }
    }

    /// <summary>
    /// A sender whose requests have numbers, so that each may be repeated and is stored once, whatever breaks. NextAsync is the number of
    /// the next request, as the node knows it: a program that begins there after a crash sends nothing twice. A request that finds no
    /// answer within RepeatMs is thrown, and is still under way: the next one repeats it first. A refusal ends it: its number is free.
    /// One process, and one request at a time, has the name.
    /// </summary>
    public sealed class RingmailProducer
    {
        private readonly RingmailNode node;
        private long number;
        private string path;
        private byte[] body;

        public RingmailProducer(RingmailNode node, string name)
        {
            this.node = node;
            Name = name;
        }

        public string Name { get; }
        public int RepeatMs { get; set; } = 60000;

        /// <summary>One more than are stored. Finishes what is under way, and asks the node when nothing is known yet.</summary>
        public async Task<long> NextAsync()
        {
            await FinishAsync().ConfigureAwait(false);
            if (number > 0) return number;
            try
            {
                // No number is stored out of its turn, and the refusal names the one whose turn it is.
                var never = RingmailNode.CommitPath(new ProducerNumber(Name, (1L << 53) - 1));
                await RepeatAsync(never, Encoding.UTF8.GetBytes("{\"steps\":[]}")).ConfigureAwait(false);
            }
            catch (RingmailException error) when (error.Code == "PRODUCER_NUMBER_INVALID")
            {
                number = (long)error.Details["expected"];
            }
            return number;
        }

        /// <summary>As RingmailNode.SendAsync, stored once.</summary>
        public async Task<Sent> SendAsync(string address, byte[] bytes, SendOptions options = null)
        {
            var by = new ProducerNumber(Name, await NextAsync().ConfigureAwait(false));
            path = RingmailNode.SendPath(address, options ?? new SendOptions(), null, by);
            body = bytes;
            return await FinishAsync().ConfigureAwait(false);
        }

        /// <summary>As RingmailNode.CommitAsync, done once.</summary>
        public async Task<Sent> CommitAsync(RingmailTransaction transaction)
        {
            var by = new ProducerNumber(Name, await NextAsync().ConfigureAwait(false));
            path = RingmailNode.CommitPath(by);
            body = transaction.ToJson();
            return await FinishAsync().ConfigureAwait(false);
        }

        /// <summary>Repeats the request that is under way, if there is one.</summary>
        public async Task<Sent> FinishAsync()
        {
            if (path == null) return null;
            try
            {
                var sent = await RepeatAsync(path, body).ConfigureAwait(false);
                number += 1;
                path = null;
                return sent;
            }
            catch (RingmailException error) when (!error.SaysNothing)
            {
                path = null;
                if (error.Code == "PRODUCER_NUMBER_INVALID") number = 0;
                throw;
            }
        }

        private async Task<Sent> RepeatAsync(string asked, byte[] bytes)
        {
            var clock = System.Diagnostics.Stopwatch.StartNew();
            for (var pauseMs = 20; ; pauseMs = Math.Min(1000, pauseMs * 2))
            {
                try
                {
                    return await node.PostSentAsync(asked, bytes, 0).ConfigureAwait(false);
                }
                catch (RingmailException error) when (error.SaysNothing && clock.ElapsedMilliseconds < RepeatMs)
                {
                    // There is time to ask again.
                }
                await Task.Delay(pauseMs).ConfigureAwait(false);
            }
        }
    }

    /// <summary>An open stream: at most its prefetch of leases is outstanding, the next message comes when one of them ends.</summary>
    public sealed class MessageStream : IDisposable
    {
        private readonly RingmailNode node;
        private readonly Transport transport;
        private readonly Connection connection;

        internal MessageStream(RingmailNode node, Transport transport, Connection connection)
        {
            this.node = node;
            this.transport = transport;
            this.connection = connection;
        }

        /// <summary>The next message, as soon as there is one. Cancelled, the stream is over. Throws what ended it.</summary>
        public async Task<Received> NextAsync(CancellationToken cancel = default(CancellationToken))
        {
            using (cancel.Register(connection.Dispose))
            {
                IDictionary<string, object> line;
                try
                {
                    line = Json.Parse(await connection.ReadChunkedLineAsync().ConfigureAwait(false)) as IDictionary<string, object>;
                }
                catch (Exception error) when (!(error is RingmailException))
                {
                    cancel.ThrowIfCancellationRequested();
                    throw transport.Unreachable(error.Message, error);
                }
                if (line == null) throw transport.Unreachable(Transport.Stranger);
                if (line.ContainsKey("code")) throw Transport.ErrorOf(line);
                return new Received(node, line);
            }
        }

        public void Dispose() => connection.Dispose();
    }

    /// <summary>What a request may take, and what it means when its connection breaks under way.</summary>
    internal sealed class Asking
    {
        public long WaitMs { get; set; }
        public string WhenBroken { get; set; } = "NODE_UNREACHABLE";
        public CancellationToken Cancel { get; set; }
    }

    /// <summary>Requests over kept connections.</summary>
    internal sealed class Transport : IDisposable
    {
        public const string Stranger = "what answers is not the local API of a node";
        /// <summary>Not used for so long, a connection is not used again: the node closes it after a minute.</summary>
        private const int IdleMsMax = 30000;
        private const int ConnectionsKept = 8;

        private readonly string place;
        private readonly Uri url;
        private readonly RemoteCertificateValidationCallback isTrusted;
        private readonly string headers;
        private readonly Stack<Connection> idle = new Stack<Connection>();

        public Transport(string socketPath)
        {
            place = socketPath;
            headers = "Host: ringmail\r\n";
        }

        public Transport(Uri url, string token, RemoteCertificateValidationCallback isTrusted)
        {
            if (token.Any(character => character <= ' ' || character > '~'))
                throw new ArgumentException("a token is a text without spaces", nameof(token));
            this.url = url;
            this.isTrusted = isTrusted;
            place = url.ToString();
            headers = "Host: " + url.Authority + "\r\nAuthorization: Bearer " + token + "\r\n";
        }

        public int AnswerMs { get; set; } = 60000;

        public void Dispose()
        {
            lock (idle)
            {
                foreach (var connection in idle) connection.Dispose();
                idle.Clear();
            }
        }

        public RingmailException Unreachable(string reason, Exception inner = null)
        {
            return new RingmailException("NODE_UNREACHABLE", new Dictionary<string, object> { ["socket"] = place, ["reason"] = reason }, inner);
        }

        public static RingmailException ErrorOf(IDictionary<string, object> fields)
        {
            return new RingmailException((string)fields["code"], Json.Get(fields, "details") as IDictionary<string, object>);
        }

        /// <summary>The answer's fields; null for nothing.</summary>
        public async Task<IDictionary<string, object>> AskAsync(string method, string path, byte[] body, Asking asking)
        {
            asking.Cancel.ThrowIfCancellationRequested();
            var connection = TakeIdle() ?? await ConnectAsync().ConfigureAwait(false);
            Answer answer;
            // A socket that is read without end is ended by closing it.
            using (var timer = new CancellationTokenSource(TimeSpan.FromMilliseconds(asking.WaitMs + AnswerMs)))
            using (timer.Token.Register(connection.Dispose))
            using (asking.Cancel.Register(connection.Dispose))
            {
                try
                {
                    await connection.WriteAsync(method, path, headers, body).ConfigureAwait(false);
                    answer = await connection.ReadHeadAsync().ConfigureAwait(false);
                    answer.Body = await connection.ReadBodyAsync(answer).ConfigureAwait(false);
                }
                catch (Exception error)
                {
                    connection.Dispose();
                    asking.Cancel.ThrowIfCancellationRequested();
                    var reason = timer.IsCancellationRequested ? "no answer in time" : error.Message;
                    if (asking.WhenBroken != "IN_DOUBT") throw Unreachable(reason, error);
                    var details = new Dictionary<string, object> { ["identity"] = "", ["epoch"] = 0L, ["reason"] = reason };
                    throw new RingmailException("IN_DOUBT", details, error);
                }
            }
            if (answer.IsLast || connection.IsDisposed) connection.Dispose();
            else Keep(connection);
            return Judge(answer);
        }

        /// <summary>A connection whose answer has begun, and is lines.</summary>
        public async Task<Connection> OpenStreamAsync(string path)
        {
            var connection = await ConnectAsync().ConfigureAwait(false);
            try
            {
                await connection.WriteAsync("POST", path, headers, null).ConfigureAwait(false);
                var answer = await connection.ReadHeadAsync().ConfigureAwait(false);
                if (answer.Status == 200 && answer.IsChunked) return connection;
                answer.Body = await connection.ReadBodyAsync(answer).ConfigureAwait(false);
                Judge(answer);
                throw Unreachable(Stranger);
            }
            catch (Exception error)
            {
                connection.Dispose();
                if (error is RingmailException) throw;
                throw Unreachable(error.Message, error);
            }
        }

        private IDictionary<string, object> Judge(Answer answer)
        {
            if (answer.Status == 204) return null;
            var fields = Json.Parse(answer.Body) as IDictionary<string, object>;
            if (fields == null) throw Unreachable(Stranger);
            if (answer.Status < 300 || (answer.Status == 503 && fields.ContainsKey("causes"))) return fields;
            throw fields.ContainsKey("code") ? ErrorOf(fields) : Unreachable(Stranger);
        }

        /// <summary>One from before that still stands: the other side has neither closed it nor said a word.</summary>
        private Connection TakeIdle()
        {
            for (;;)
            {
                Connection connection;
                lock (idle)
                {
                    if (idle.Count == 0) return null;
                    connection = idle.Pop();
                }
                if (connection.IdleMs < IdleMsMax && connection.IsQuiet) return connection;
                connection.Dispose();
            }
        }

        private void Keep(Connection connection)
        {
            connection.Rest();
            lock (idle)
            {
                if (idle.Count < ConnectionsKept)
                {
                    idle.Push(connection);
                    return;
                }
            }
            connection.Dispose();
        }

        /// <summary>What breaks here was never sent.</summary>
        private async Task<Connection> ConnectAsync()
        {
            Socket socket = null;
            try
            {
                if (url == null)
                {
                    socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    socket.Connect(new UnixDomainSocketEndPoint(place));
                    return new Connection(socket, new NetworkStream(socket, false));
                }
                socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                var made = socket;
                await Task.Factory
                    .FromAsync((done, state) => made.BeginConnect(url.DnsSafeHost, url.Port, done, state), made.EndConnect, null)
                    .ConfigureAwait(false);
                var stream = new NetworkStream(socket, false);
                if (url.Scheme != "https") return new Connection(socket, stream);
                var tls = new SslStream(stream, false, isTrusted);
                await tls.AuthenticateAsClientAsync(url.DnsSafeHost, null, SslProtocols.Tls12, isTrusted == null).ConfigureAwait(false);
                return new Connection(socket, tls);
            }
            catch (Exception error)
            {
                socket?.Dispose();
                throw Unreachable(error.Message, error);
            }
        }
    }

    internal sealed class Answer
    {
        public int Status { get; set; }
        public int Length { get; set; }
        public bool IsChunked { get; set; }
        /// <summary>The other side closes after it.</summary>
        public bool IsLast { get; set; }
        public byte[] Body { get; set; }
    }

    /// <summary>One connection with as much of HTTP/1.1 as the local API speaks. One request at a time.</summary>
    internal sealed class Connection : IDisposable
    {
        private const int HeadBytesMax = 64 * 1024;
        private const int AnswerBytesMax = 32 * 1024 * 1024;

        private readonly Socket socket;
        private readonly Stream stream;
        private readonly byte[] buffer = new byte[16 * 1024];
        private readonly System.Diagnostics.Stopwatch resting = new System.Diagnostics.Stopwatch();
        private int start;
        private int end;
        /// <summary>Bytes left of the chunk that is being read.</summary>
        private int chunkLeft;
        private int isDisposed;

        public Connection(Socket socket, Stream stream)
        {
            this.socket = socket;
            this.stream = stream;
        }

        public long IdleMs => resting.ElapsedMilliseconds;
        public bool IsQuiet => start == end && !socket.Poll(0, SelectMode.SelectRead);
        public bool IsDisposed => Volatile.Read(ref isDisposed) == 1;

        public void Rest() => resting.Restart();

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isDisposed, 1) == 1) return;
            // Who waits for bytes is woken by this, on every runtime.
            try
            {
                socket.Shutdown(SocketShutdown.Both);
            }
            catch (SocketException)
            {
                // The other side was faster.
            }
            socket.Dispose();
        }

        public Task WriteAsync(string method, string path, string headers, byte[] body)
        {
            var length = method == "GET" || method == "DELETE" ? "" : "Content-Length: " + (body?.Length ?? 0) + "\r\n";
            var head = Encoding.ASCII.GetBytes(method + " " + path + " HTTP/1.1\r\n" + headers + length + "\r\n");
            var all = new byte[head.Length + (body?.Length ?? 0)];
            head.CopyTo(all, 0);
            body?.CopyTo(all, head.Length);
            return stream.WriteAsync(all, 0, all.Length);
        }

        public async Task<Answer> ReadHeadAsync()
        {
            var status = Encoding.ASCII.GetString(await ReadLineAsync(HeadBytesMax).ConfigureAwait(false)).Split(' ');
            if (status.Length < 2 || !status[0].StartsWith("HTTP/1.", StringComparison.Ordinal))
                throw new InvalidDataException(Transport.Stranger);
            var answer = new Answer { Status = int.Parse(status[1], CultureInfo.InvariantCulture) };
            for (var bytes = 0; ;)
            {
                var line = Encoding.ASCII.GetString(await ReadLineAsync(HeadBytesMax - bytes).ConfigureAwait(false));
                if (line == "") return answer;
                bytes += line.Length;
                var colon = line.IndexOf(':');
                if (colon < 0) throw new InvalidDataException(Transport.Stranger);
                var name = line.Substring(0, colon).ToLowerInvariant();
                var value = line.Substring(colon + 1).Trim().ToLowerInvariant();
                if (name == "content-length") answer.Length = int.Parse(value, NumberStyles.None, CultureInfo.InvariantCulture);
                if (name == "transfer-encoding") answer.IsChunked = value == "chunked";
                if (name == "connection") answer.IsLast = value == "close";
            }
        }

        public async Task<byte[]> ReadBodyAsync(Answer answer)
        {
            if (answer.IsChunked || answer.Length > AnswerBytesMax) throw new InvalidDataException("the answer is too long");
            var body = new byte[answer.Length];
            for (var filled = 0; filled < body.Length;)
            {
                await FillAsync().ConfigureAwait(false);
                filled += Take(body, filled, body.Length - filled);
            }
            return body;
        }

        /// <summary>A line of an answer that comes in chunks, without its end.</summary>
        public async Task<byte[]> ReadChunkedLineAsync()
        {
            var line = new MemoryStream();
            for (;;)
            {
                if (chunkLeft == 0) await ReadChunkSizeAsync().ConfigureAwait(false);
                await FillAsync().ConfigureAwait(false);
                var there = Math.Min(end - start, chunkLeft);
                var at = Array.IndexOf(buffer, (byte)'\n', start, there);
                var taken = at < 0 ? there : at - start + 1;
                line.Write(buffer, start, at < 0 ? taken : taken - 1);
                start += taken;
                chunkLeft -= taken;
                if (chunkLeft == 0) await ReadLineAsync(2).ConfigureAwait(false);
                if (at >= 0) return line.ToArray();
                if (line.Length > AnswerBytesMax) throw new InvalidDataException("the line is too long");
            }
        }

        private async Task ReadChunkSizeAsync()
        {
            var text = Encoding.ASCII.GetString(await ReadLineAsync(HeadBytesMax).ConfigureAwait(false)).Split(';')[0];
            chunkLeft = int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            if (chunkLeft <= 0) throw new EndOfStreamException("the node ended the stream");
        }

        /// <summary>Without its end.</summary>
        private async Task<byte[]> ReadLineAsync(int bytesMax)
        {
            var line = new MemoryStream();
            for (;;)
            {
                await FillAsync().ConfigureAwait(false);
                var at = Array.IndexOf(buffer, (byte)'\n', start, end - start);
                var taken = (at < 0 ? end : at + 1) - start;
                line.Write(buffer, start, taken);
                start += taken;
                if (line.Length > bytesMax) throw new InvalidDataException("a line of the answer is too long");
                if (at < 0) continue;
                var bytes = line.ToArray();
                var length = bytes.Length > 1 && bytes[bytes.Length - 2] == '\r' ? bytes.Length - 2 : bytes.Length - 1;
                Array.Resize(ref bytes, length);
                return bytes;
            }
        }

        private async Task FillAsync()
        {
            if (start < end) return;
            start = 0;
            end = 0;
            end = await stream.ReadAsync(buffer, 0, buffer.Length).ConfigureAwait(false);
            if (end == 0) throw new EndOfStreamException("the connection was closed");
        }

        private int Take(byte[] into, int at, int count)
        {
            var taken = Math.Min(count, end - start);
            Buffer.BlockCopy(buffer, start, into, at, taken);
            start += taken;
            return taken;
        }
    }

    /// <summary>JSON as dictionaries, lists, text, long, double, bool and null.</summary>
    internal static class Json
    {
        private const int DepthMax = 100;

        public static object Get(IDictionary<string, object> fields, string name)
        {
            object value;
            return fields.TryGetValue(name, out value) ? value : null;
        }

        /// <summary>Null for what is no JSON, too: whoever wants a value of it says what that means.</summary>
        public static object Parse(byte[] bytes)
        {
            try
            {
                var reader = new Reader(new UTF8Encoding(false, true).GetString(bytes));
                var value = reader.Value(0);
                return reader.IsAtEnd ? value : null;
            }
            catch (Exception error) when (error is FormatException || error is ArgumentException || error is OverflowException)
            {
                return null;
            }
        }

        public static string Write(object value)
        {
            var text = new StringBuilder();
            Write(text, value);
            return text.ToString();
        }

        private static void Write(StringBuilder text, object value)
        {
            if (value == null) text.Append("null");
            else if (value is string) WriteText(text, (string)value);
            else if (value is bool) text.Append((bool)value ? "true" : "false");
            else if (value is double) text.Append(((double)value).ToString("R", CultureInfo.InvariantCulture));
            else if (value is IDictionary<string, object>)
            {
                text.Append('{');
                foreach (var field in (IDictionary<string, object>)value)
                {
                    if (text[text.Length - 1] != '{') text.Append(',');
                    WriteText(text, field.Key);
                    text.Append(':');
                    Write(text, field.Value);
                }
                text.Append('}');
            }
            else if (value is System.Collections.IEnumerable)
            {
                text.Append('[');
                foreach (var item in (System.Collections.IEnumerable)value)
                {
                    if (text[text.Length - 1] != '[') text.Append(',');
                    Write(text, item);
                }
                text.Append(']');
            }
            else text.Append(Convert.ToString(value, CultureInfo.InvariantCulture));
        }

        private static void WriteText(StringBuilder text, string value)
        {
            text.Append('"');
            foreach (var character in value)
            {
                if (character == '"' || character == '\\') text.Append('\\').Append(character);
                else if (character < ' ' || character > '~') text.Append("\\u").Append(((int)character).ToString("x4", CultureInfo.InvariantCulture));
                else text.Append(character);
            }
            text.Append('"');
        }

        private sealed class Reader
        {
            private readonly string text;
            private int at;

            public Reader(string text)
            {
                this.text = text;
            }

            public bool IsAtEnd
            {
                get
                {
                    Space();
                    return at == text.Length;
                }
            }

            public object Value(int depth)
            {
                if (depth > DepthMax) throw new FormatException();
                Space();
                switch (Peek())
                {
                    case '{': return Object(depth);
                    case '[': return Array(depth);
                    case '"': return Text();
                    case 't': return Word("true", true);
                    case 'f': return Word("false", false);
                    case 'n': return Word("null", null);
                    default: return Number();
                }
            }

            private object Object(int depth)
            {
                var fields = new Dictionary<string, object>();
                for (at++; !Ends('}', fields.Count);)
                {
                    Space();
                    var name = Text();
                    Space();
                    if (Next() != ':') throw new FormatException();
                    fields[name] = Value(depth + 1);
                }
                return fields;
            }

            private object Array(int depth)
            {
                var items = new List<object>();
                for (at++; !Ends(']', items.Count);) items.Add(Value(depth + 1));
                return items;
            }

            /// <summary>Takes the end, or the comma before what follows.</summary>
            private bool Ends(char close, int count)
            {
                Space();
                if (Peek() == close)
                {
                    at++;
                    return true;
                }
                if (count > 0 && Next() != ',') throw new FormatException();
                return false;
            }

            private string Text()
            {
                if (Next() != '"') throw new FormatException();
                var value = new StringBuilder();
                for (var character = Next(); character != '"'; character = Next()) value.Append(character == '\\' ? Escaped() : character);
                return value.ToString();
            }

            private char Escaped()
            {
                var character = Next();
                var known = "\"\\/bfnrt".IndexOf(character);
                if (known >= 0) return "\"\\/\b\f\n\r\t"[known];
                if (character != 'u' || at + 4 > text.Length) throw new FormatException();
                at += 4;
                return (char)int.Parse(text.Substring(at - 4, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
            }

            private object Number()
            {
                var from = at;
                while (at < text.Length && "+-.0123456789eE".IndexOf(text[at]) >= 0) at++;
                var digits = text.Substring(from, at - from);
                long whole;
                if (long.TryParse(digits, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out whole)) return whole;
                return double.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture);
            }

            private object Word(string word, object value)
            {
                if (string.CompareOrdinal(text, at, word, 0, word.Length) != 0) throw new FormatException();
                at += word.Length;
                return value;
            }

            private void Space()
            {
                while (at < text.Length && " \t\r\n".IndexOf(text[at]) >= 0) at++;
            }

            private char Peek() => at < text.Length ? text[at] : throw new FormatException();

            private char Next()
            {
                var character = Peek();
                at++;
                return character;
            }
        }
    }
}
