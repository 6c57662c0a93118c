using System.Net.Sockets;
using Hearth.Actors.Storage;
using Hearth.Engine.Checkpoints;
using Hearth.Engine.Devices;
using Hearth.Text;
using Hearth.Text.Templates;

namespace Hearth.Silo;

/// <summary>The silo cannot start; the message names the file, field or option and what to do.</summary>
public sealed class SiloException(string message, SiloFault fault, Exception inner) : Exception(message, inner)
{
    public SiloFault Fault => fault;

    /// <summary>Translates the refusals of the layers below; anything else is a defect and passes.</summary>
    internal static T Guard<T>(Func<T> start)
    {
        try
        {
            return start();
        }
        catch (Exception error) when (FaultOf(error) is { } fault)
        {
            throw new SiloException(error.Message, fault, error);
        }
    }

    internal static async Task<T> GuardAsync<T>(Func<Task<T>> start)
    {
        try
        {
            return await start();
        }
        catch (Exception error) when (FaultOf(error) is { } fault)
        {
            throw new SiloException(error.Message, fault, error);
        }
    }

    static SiloFault? FaultOf(Exception error) => error switch
    {
        CheckpointException or TokenizerException or TemplateException => SiloFault.Model,
        StoreException or SocketException => SiloFault.Data,
        ArgumentException or InsufficientMemoryException or DeviceException => SiloFault.Option,
        _ => null,
    };
}

/// <summary>What has to be mended before the silo can start.</summary>
public enum SiloFault
{
    Model,
    Data,
    Option,
}
