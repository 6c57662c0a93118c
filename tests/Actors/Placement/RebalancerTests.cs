using Hearth.Actors.Membership;
using Hearth.Actors.Placement;
using Xunit;

namespace Hearth.Actors.Tests.Placement;

/// <summary>Rebalancing on a cluster of numbers: loads are told late, moves take their time.</summary>
public sealed class RebalancerTests
{
    static readonly TimeSpan _tick = TimeSpan.FromMilliseconds(250);

    [Fact]
    public void NewSilosGetTheirShareSoonWithHardlyAMoveMoreThanMustBe()
    {
        for (var seed = 0; seed < 40; seed++)
        {
            var cluster = new Cluster(seed);
            var before = cluster.Random.Next(1, 8);
            for (var i = 0; i < before; i++)
                cluster.Add(200, 1000);
            cluster.Run(TimeSpan.FromMinutes(1));
            Assert.Equal(0, cluster.Moves);

            var added = cluster.Random.Next(1, 4);
            for (var i = 0; i < added; i++)
                cluster.Add(0, 1000);
            var fair = 200 * before / (before + added);
            cluster.Run(TimeSpan.FromMinutes(2));
            Assert.All(cluster.Counts, n => Assert.InRange(n, fair * 0.8 - 8, fair * 1.2 + 8));
            Assert.InRange(cluster.Moves, 1, fair * added * 1.5);
            Assert.True(cluster.MovesTwice == 0, $"seed {seed}: {cluster.MovesTwice} conversations moved twice");
            var moves = cluster.Moves;
            cluster.Run(TimeSpan.FromMinutes(10));
            Assert.Equal(moves, cluster.Moves);
        }
    }

    [Fact]
    public void ALoadThatSwaysAroundItsShareMovesNothing()
    {
        var cluster = new Cluster(1);
        for (var i = 0; i < 5; i++)
            cluster.Add(200, 1000);
        for (var i = 0; i < 600; i++)
        {
            cluster.Sway(20);
            cluster.Run(TimeSpan.FromSeconds(1));
        }
        Assert.Equal(0, cluster.Moves);
    }

    [Fact]
    public void ALargerSiloGetsALargerShare()
    {
        var cluster = new Cluster(1);
        cluster.Add(300, 1000);
        cluster.Add(0, 2000);
        cluster.Run(TimeSpan.FromMinutes(3));
        Assert.InRange(cluster.Counts[0], 100, 120);
        Assert.InRange(cluster.Counts[1], 180, 200);
    }

    [Fact]
    public void NothingMovesWhileTheClusterChangesAndNeverMoreThanTheLimit()
    {
        var cluster = new Cluster(1);
        cluster.Add(5000, 1000);
        cluster.Add(0, 1000);
        for (var i = 0; i < 10; i++)
        {
            cluster.Run(Limits.RebalanceSettle - TimeSpan.FromSeconds(1));
            cluster.Change();
        }
        Assert.Equal(0, cluster.Moves);
        cluster.Run(Limits.RebalanceSettle);
        cluster.Run(TimeSpan.FromMinutes(5));
        Assert.InRange(cluster.Moves, 4 * Limits.RebalanceMovesPerMinute, 5 * Limits.RebalanceMovesPerMinute + 10);
    }

    [Fact]
    public void NobodyIsGivenAModelThatItDoesNotServeOrMoreThanMayBeMoved()
    {
        var cluster = new Cluster(1);
        cluster.Add(300, 1000);
        cluster.Add(0, 1000, model: "x");
        cluster.Run(TimeSpan.FromMinutes(2));
        Assert.Equal(0, cluster.Moves);
        cluster.Add(0, 1000);
        cluster.Movable = 3;
        cluster.Run(TimeSpan.FromMinutes(1));
        Assert.InRange(cluster.Moves, 3, 3 * 13);
        Assert.Equal(0, cluster.Counts[1]);
    }

    sealed class Cluster(int seed)
    {
        readonly VirtualTime _time = new();
        readonly List<Node> _nodes = [];
        readonly List<(long Due, Node To, Conversation What)> _underWay = [];
        long _version = 1;

        public Random Random { get; } = new(seed);
        public int Moves { get; private set; }
        public int MovesTwice { get; private set; }
        public int Movable { get; set; } = int.MaxValue;
        public List<int> Counts => _nodes.ConvertAll(n => n.Conversations.Count);

        public void Add(int conversations, int blocks, string model = "m")
        {
            var node = new Node(new SiloEntry($"s{_nodes.Count}/1", "h:1", SiloStatus.Active, ""), blocks, model,
                new Rebalancer(_time, new Random(Random.Next())));
            for (var i = 0; i < conversations; i++)
                node.Conversations.Add(new Conversation());
            _nodes.Add(node);
            Change();
        }

        public void Change() => _version++;

        public void Sway(int by)
        {
            foreach (var node in _nodes)
            {
                var count = 200 + Random.Next(-by, by + 1);
                while (node.Conversations.Count < count)
                    node.Conversations.Add(new Conversation());
                node.Conversations.RemoveRange(count, node.Conversations.Count - count);
            }
        }

        public void Run(TimeSpan length)
        {
            for (var at = TimeSpan.Zero; at < length; at += _tick)
            {
                var view = new MembershipView("i", _version, _nodes.ConvertAll(n => n.Silo));
                foreach (var node in _nodes)
                    Plan(node, view);
                foreach (var node in _nodes)
                    node.Tell();
                _time.Advance(_tick);
                Arrive();
            }
        }

        void Plan(Node node, MembershipView view)
        {
            var movable = node.Conversations.Where(c => c.Came is not { } came || _time.GetElapsedTime(came) > Limits.RebalanceStay).ToList();
            foreach (var move in node.Rebalancer.Plan(view, id => _nodes.Single(n => n.Silo.Id == id).Told,
                node.Silo.Id, node.Conversations.Count, Math.Min(Movable, movable.Count)))
            {
                foreach (var conversation in movable.Take(move.Count).ToList())
                {
                    Moves++;
                    MovesTwice += conversation.Came is null ? 0 : 1;
                    movable.Remove(conversation);
                    node.Conversations.Remove(conversation);
                    var due = _time.GetTimestamp() + (long)(Random.NextDouble() * 3 * _time.TimestampFrequency);
                    _underWay.Add((due, _nodes.Single(n => n.Silo == move.Target), conversation));
                }
            }
        }

        void Arrive()
        {
            foreach (var move in _underWay.Where(m => m.Due <= _time.GetTimestamp()).ToList())
            {
                move.What.Came = _time.GetTimestamp();
                move.To.Conversations.Add(move.What);
                _underWay.Remove(move);
            }
        }
    }

    sealed class Conversation
    {
        public long? Came { get; set; }
    }

    sealed record Node(SiloEntry Silo, int Blocks, string Model, Rebalancer Rebalancer)
    {
        readonly Queue<SiloLoad> _told = new();

        public List<Conversation> Conversations { get; } = [];

        /// <summary>Others see what was told three ticks ago.</summary>
        public SiloLoad Told => _told.TryPeek(out var load) ? load : new SiloLoad();

        public void Tell()
        {
            _told.Enqueue(new SiloLoad { Models = [Model], Activations = Conversations.Count, BlocksTotal = Blocks });
            if (_told.Count > 3)
                _told.Dequeue();
        }
    }
}
