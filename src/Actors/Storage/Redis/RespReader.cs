using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Text;

namespace Hearth.Actors.Storage.Redis;

/// <summary>Reads replies of Redis (RESP2) from a blocking stream. A server that sends a little at a time, each in time, is given
/// up all the same when the whole takes too long.</summary>
sealed class RespReader(Stream stream)
{
    const int DepthMax = 8;

    readonly byte[] _input = new byte[16 << 10];
    int _from;
    int _to;
    long _deadline;

    /// <summary>What is read from now on must be there in time; large values have longer.</summary>
    public void Expect(TimeSpan timeout) =>
        _deadline = TimeProvider.System.GetTimestamp() + (long)(timeout.TotalSeconds * TimeProvider.System.TimestampFrequency);

    /// <returns>A number (long), a value (byte[], or null for none), a list (object?[]) or a status (string).</returns>
    /// <exception cref="RespErrorException">Redis refused; the connection is fine.</exception>
    /// <exception cref="IOException">No answer in time, or none that Redis gives.</exception>
    public object? Read() => Read(DepthMax);

    /// <summary>Reads a number, a status (0), or a value into memory.</summary>
    /// <returns>The number, or the value's length; -1 for no value.</returns>
    public long ReadInto(Span<byte> destination)
    {
        var line = ReadLine();
        switch ((char)line[0])
        {
            case '+':
                return 0;
            case '-':
                throw new RespErrorException(Encoding.UTF8.GetString(line[1..]));
            case ':':
                return Number(line);
            case '$':
                var length = Number(line);
                if (length > destination.Length)
                    throw new IOException($"Redis sent a value of {length} bytes where {destination.Length} were expected.");
                if (length >= 0)
                    ReadValue(destination[..(int)length]);
                return length;
            default:
                throw Unexpected(line);
        }
    }

    object? Read(int depth)
    {
        var line = ReadLine();
        switch ((char)line[0])
        {
            case '+':
                return Encoding.UTF8.GetString(line[1..]);
            case '-':
                throw new RespErrorException(Encoding.UTF8.GetString(line[1..]));
            case ':':
                return Number(line);
            case '$':
                var length = Number(line);
                if (length > Limits.EntryBytesMax)
                    throw new IOException($"Redis sent a value of {length} bytes.");
                if (length < 0)
                    return null;
                var value = new byte[length];
                ReadValue(value);
                return value;
            case '*' when depth > 0:
                var count = Number(line);
                if (count > Limits.RedisReplyItemsMax)
                    throw new IOException($"Redis sent a list of {count}.");
                var list = new object?[Math.Max(0, count)];
                for (var i = 0; i < list.Length; i++)
                    list[i] = Read(depth - 1);
                return list;
            default:
                throw Unexpected(line);
        }
    }

    ReadOnlySpan<byte> ReadLine()
    {
        int end;
        while ((end = _input.AsSpan(_from, _to - _from).IndexOf("\r\n"u8)) < 0)
            Fill();
        var line = _input.AsSpan(_from, end);
        _from += end + 2;
        return end > 0 ? line : throw new IOException("Redis sent an empty line.");
    }

    /// <summary>Straight to where it is wanted.</summary>
    void ReadValue(Span<byte> value)
    {
        _deadline += value.Length * TimeProvider.System.TimestampFrequency / Limits.RedisBytesPerSecondMin;
        var have = Math.Min(value.Length, _to - _from);
        _input.AsSpan(_from, have).CopyTo(value);
        _from += have;
        for (value = value[have..]; value.Length > 0;)
            value = value[Receive(value)..];
        while (_to - _from < 2)
            Fill();
        _from += 2;
    }

    void Fill()
    {
        _input.AsSpan(_from, _to - _from).CopyTo(_input);
        (_from, _to) = (0, _to - _from);
        if (_to == _input.Length)
            throw new IOException("Redis sent an endless line.");
        _to += Receive(_input.AsSpan(_to));
    }

    int Receive(Span<byte> into)
    {
        var read = stream.Read(into);
        if (read == 0)
            throw new EndOfStreamException("Redis closed the connection.");
        return TimeProvider.System.GetTimestamp() <= _deadline ? read : throw new IOException("Redis answers too slowly.");
    }

    static long Number(ReadOnlySpan<byte> line) =>
        Utf8Parser.TryParse(line[1..], out long number, out var used) && used == line.Length - 1
            ? number
            : throw new IOException($"'{Encoding.UTF8.GetString(line)}' is no number.");

    static IOException Unexpected(ReadOnlySpan<byte> line) =>
        new($"Redis answered '{Encoding.UTF8.GetString(line)}', which is no reply to this command.");
}

/// <summary>Redis said no; the first word is the kind (<c>MOVED</c>, <c>OOM</c>, <c>LOADING</c> …).</summary>
sealed class RespErrorException(string message) : Exception(message)
{
    public bool Is(string kind) => Message.StartsWith(kind, StringComparison.Ordinal);

    /// <summary>Of <c>MOVED slot host:port</c>: where to ask instead.</summary>
    public DnsEndPoint MovedTo
    {
        get
        {
            var address = Message.Split(' ')[^1];
            var colon = address.LastIndexOf(':');
            return new DnsEndPoint(address[..colon], int.Parse(address.AsSpan(colon + 1), CultureInfo.InvariantCulture));
        }
    }
}
