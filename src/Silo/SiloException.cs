using Hearth.Actors.Storage;
using Hearth.Engine.Checkpoints;
using Hearth.Text;
using Hearth.Text.Templates;

namespace Hearth.Silo;

/// <summary>The silo cannot start; the message names the file, field or option and what to do.</summary>
/// <param name="isModel">Whether the model is at fault, and not the data directory or an option.</param>
public sealed class SiloException(string message, bool isModel, Exception inner) : Exception(message, inner)
{
    public bool IsModel => isModel;

    /// <summary>Translates the refusals of the layers below; anything else is a defect and passes.</summary>
    internal static T Guard<T>(Func<T> start)
    {
        try
        {
            return start();
        }
        catch (Exception error) when (error is CheckpointException or TokenizerException or TemplateException)
        {
            throw new SiloException(error.Message, isModel: true, error);
        }
        catch (Exception error) when (error is StoreException or ArgumentException or InsufficientMemoryException)
        {
            throw new SiloException(error.Message, isModel: false, error);
        }
    }
}
