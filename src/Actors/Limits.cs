namespace Hearth.Actors;

/// <summary>Every bound of this project.</summary>
public static class Limits
{
    /// <summary>Messages that wait for one activation; one more is refused.</summary>
    public const int MailboxMessages = 16;

    public const int ActivationsMax = 10_000;

    /// <summary>Writes that wait for the embedded store's one writer; one more is refused.</summary>
    public const int StoreWritesQueued = 1024;

    /// <summary>Writes that share one commit to disk.</summary>
    public const int StoreWritesPerCommit = 64;

    /// <summary>Calls that wait for Redis on one connection; one more is refused.</summary>
    public const int RedisCallsWaiting = 4096;

    /// <summary>The same for the membership's connection, which answers one after the other.</summary>
    public const int MembershipCallsWaiting = 64;

    /// <summary>Items of a list in a reply about the membership.</summary>
    public const int RedisReplyItemsMax = 1 << 20;

    /// <summary>A large value has longer than a small one: as long as this speed takes.</summary>
    public const int RedisBytesPerSecondMin = 4 << 20;

    /// <summary>Bytes of one commit to Redis, which runs nothing else meanwhile.</summary>
    public const int RedisCommitBytesMax = 64 << 20;

    /// <summary>Index entries that could not be written and are tried again with later ones.</summary>
    public const int RedisIndexWaiting = 1024;

    /// <summary>A silo's description and its load, which every silo reads again and again.</summary>
    public const int SiloDescriptionLengthMax = 16 << 10;
    public const int SiloLoadBytesMax = 16 << 10;

    public const int ScopeLengthMax = 128;
    public const int NameLengthMax = 128;
    public const int OperationLengthMax = 256;
    public const int IndexKeyLengthMax = 256;
    public const int BlobNameLengthMax = 128;

    /// <summary>Bytes of one log entry, one state and one result.</summary>
    public const int EntryBytesMax = 16 << 20;

    public const int ManifestBytesMax = 32 << 20;
    public const int BlobBytesMax = 512 << 20;

    /// <summary>Room that blobs leave on the disk to what cannot be computed again; on a small disk this part of it.</summary>
    public const long DiskReserveBytes = 64 << 20;
    public const int DiskReservePart = 4;

    /// <summary>Finished operations are kept this long, and the last ones longer.</summary>
    public static readonly TimeSpan OperationAgeMax = TimeSpan.FromHours(24);
    public const int OperationsKept = 64;

    /// <summary>How long a deleted grain's name stays refused.</summary>
    public static readonly TimeSpan TombstoneAge = TimeSpan.FromHours(24);

    /// <summary>The shortest retention, longer than any activation is idle and any reply runs.</summary>
    public static readonly TimeSpan RetentionMin = TimeSpan.FromHours(1);

    /// <summary>How often old grains are looked for in the embedded store, and how many one write removes.</summary>
    public static readonly TimeSpan RetentionPeriod = TimeSpan.FromHours(1);
    public const int GrainsExpiredAtOnce = 100;

    /// <summary>How long SQLite waits for another connection of this process.</summary>
    public const int StoreBusySeconds = 5;

    /// <summary>One message between processes: a cache chunk of a large model, and room.</summary>
    public const int PeerMessageBytesMax = 256 << 20;

    /// <summary>One process's history, which tests record.</summary>
    public const long HistoryBytesMax = 1L << 30;

    /// <summary>Connections to the spill server: two busy ones saturate it, and a slow one holds up no other
    /// conversation.</summary>
    public const int BlobConnections = 4;
    public const int BlobSocketBytes = 4 << 20;

    /// <summary>A value up to the one length is read whole, a longer one in ranges of the other.</summary>
    public const int BlobWholeBytesMax = 4 << 20;
    public const int BlobRangeBytes = 1 << 20;

    public const int BlobMovesMax = 3;
    public const int BlobCallsQueued = 64;

    /// <summary>Blobs that no manifest names yet stay so long.</summary>
    public static readonly TimeSpan BlobUnpublishedAge = TimeSpan.FromSeconds(60);

    /// <summary>One blob's way to the spill server or from it.</summary>
    public static readonly TimeSpan BlobTimeout = TimeSpan.FromSeconds(10);

    /// <summary>Rows of dead silos: when there are more, all but the newest are removed.</summary>
    public const int DeadSilosMax = 64;
    public const int DeadSilosKept = 32;
    /// <summary>A message goes in parts of this size, so that calls take turns; larger ones where one call has the
    /// connection.</summary>
    public const int PeerFrameBytesMax = 64 << 10;
    public const int PeerBulkFrameBytesMax = 1 << 20;

    /// <summary>What the receiver of a call holds unread, beside one message; the sender waits. Part of the protocol.</summary>
    public const int PeerWindowBytes = 256 << 10;
    public const int PeerBulkWindowBytes = 4 << 20;

    public const int PeerMethodBytesMax = 128;
    public const int PeerErrorBytesMax = 1024;
    public const int PeerSecretBytesMin = 16;
    public const int PeerSecretsMax = 4;
    public static readonly TimeSpan PeerDeadlineMax = TimeSpan.FromDays(30);

    /// <summary>Calls of one connection, connections that a server takes, and bulk connections to one peer.</summary>
    public const int PeerCallsMax = 16 << 10;
    public const int PeerConnectionsMax = 1024;
    public const int PeerBulkConnectionsMax = 16;

    /// <summary>Connections beyond that which are still told why they are refused.</summary>
    public const int PeerRefusalsMax = 64;

    /// <summary>How long a server rests that could not accept a connection.</summary>
    public static readonly TimeSpan PeerAcceptPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Received messages of a process that are not disposed of yet; one more ends its call.</summary>
    public const long PeerReceivedBytesMax = 1L << 30;

    /// <summary>Buffers kept for the next large message.</summary>
    public const long PeerBuffersKeptBytes = 64 << 20;

    /// <summary>Frames up to this size are copied and written together; this many bytes of them may wait.</summary>
    public const int PeerCopiedBytesMax = 8 << 10;
    public const int PeerQueuedBytesMax = 64 << 10;

    /// <summary>The same with what may not wait (credit, aborts): a peer that lets so much pile up is given up.</summary>
    public const int PeerControlBytesMax = 1 << 20;

    public static readonly TimeSpan PeerConnect = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan PeerHandshake = TimeSpan.FromSeconds(1);

    /// <summary>Each side of a connection gives signs of life, and holds the other for lost after so many intervals without
    /// one.</summary>
    public static readonly TimeSpan PeerBeat = TimeSpan.FromMilliseconds(400);
    public const int PeerSilentBeats = 4;

    /// <summary>A bulk connection without calls is kept for so many intervals: half a minute.</summary>
    public const int PeerBulkIdleBeats = 75;

    /// <summary>How long a stopping server waits for handlers that it has cancelled.</summary>
    public static readonly TimeSpan PeerStop = TimeSpan.FromSeconds(1);

    /// <summary>Placements that the loads of silos may not show yet: older ones surely do.</summary>
    public const int PlacementsRemembered = 4096;
    public static readonly TimeSpan PlacementAge = TimeSpan.FromSeconds(1);

    /// <summary>A silo gives away so many conversations at once, and then waits until the loads show it.</summary>
    public const int RebalanceMovesAtOnce = 10;
    public static readonly TimeSpan RebalancePeriod = TimeSpan.FromSeconds(5);
    public static readonly int RebalanceMovesPerMinute = (int)(RebalanceMovesAtOnce * TimeSpan.FromMinutes(1) / RebalancePeriod);

    /// <summary>How long the cluster must have been the same before it is rebalanced: longer than a silo takes to be
    /// replaced.</summary>
    public static readonly TimeSpan RebalanceSettle = TimeSpan.FromSeconds(15);

    /// <summary>A conversation that came stays at least so long.</summary>
    public static readonly TimeSpan RebalanceStay = TimeSpan.FromMinutes(5);

    /// <summary>Times the usual wait that a process gives Redis when it starts.</summary>
    public const int RedisStartPatience = 5;
}
