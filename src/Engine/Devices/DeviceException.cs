namespace Hearth.Engine.Devices;

/// <summary>The device is missing, too old, too small, or cannot do what the model needs; the message says what to do.</summary>
public sealed class DeviceException(string message, Exception inner) : Exception(message, inner);
