using Hearth.Actors.Transport;
using Hearth.Gateway;
using Hearth.Silo;

namespace Hearth.Cli.Doctor;

/// <summary>The files that a process is given: keys, secrets, and the folder that it writes to.</summary>
sealed class FileChecks(Findings findings, TimeProvider time)
{
    const long FreeLow = 1L << 30;

    public void ApiKeys(string path)
    {
        const string Name = "api-keys";
        try
        {
            var keys = ApiKeySummary.Read(path, time);
            if (keys.InForce == 0)
            {
                findings.Fail(
                    Name, $"{path}: all {keys.Keys} keys have expired: everybody is refused", "put a new key into the file");
            }
            else if (keys.Admins == 0)
            {
                findings.Warn(Name, $"{path}: none of {keys.InForce} keys has the scope admin: nobody can drain or migrate",
                    "add a line: KEY TENANT admin");
            }
            else
            {
                findings.Ok(Name, $"{path}: {keys.InForce} keys, {keys.Admins} of an administrator");
            }

            Privacy(Name, path);
        }
        catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
        {
            findings.Fail(Name, e is FormatException ? $"{path}: {e.Message}" : e.Message,
                "--api-key-file: name a file of lines KEY [TENANT] [SCOPES] that this user may read");
        }
    }

    /// <param name="isExposed">Whether other machines reach the port that the secret guards.</param>
    /// <returns>Null if the file is no good.</returns>
    public PeerIdentity? ClusterKey(string? path, Func<PeerIdentity> read, bool isExposed)
    {
        const string Name = "cluster-key";
        try
        {
            var identity = read();
            if (path is not null)
            {
                findings.Ok(Name, $"{path} holds a secret");
                Privacy(Name, path);
            }
            else if (identity.Tls is not null)
            {
                findings.Ok(Name, "none: the processes know each other by their certificates");
            }
            else if (isExposed)
            {
                findings.Warn(Name, "no --cluster-key-file: whoever reaches the port of a silo is trusted",
                    "openssl rand -hex 32 > cluster.key, and give it to every process; or close the port to others");
            }
            else
            {
                findings.Ok(Name, "none, and the silo's port is open to this machine only");
            }
            return identity;
        }
        catch (CliException e)
        {
            findings.Fail(Name, e.Message, "openssl rand -hex 32 > cluster.key, the same for every process");
            return null;
        }
    }

    public void SpillKeys(string path, Action read)
    {
        const string Name = "spill-keys";
        try
        {
            read();
            findings.Ok(Name, $"{path}: caches are encrypted in Redis");
            Privacy(Name, path);
        }
        catch (SiloException e)
        {
            findings.Fail(Name, e.Message, "openssl rand -base64 32 > spill.keys, the same for every silo");
        }
    }

    public void DataFolder(string path)
    {
        const string Name = "data";
        try
        {
            var folder = Directory.CreateDirectory(path);
            using (File.Create(Path.Combine(path, $".hearth-doctor-{Guid.NewGuid():N}"), 1, FileOptions.DeleteOnClose))
            {
                // That it can be made is what was asked.
            }
            var free = new DriveInfo(folder.FullName).AvailableFreeSpace;
            if (free < FreeLow)
                findings.Warn(Name, $"{path}: only {ByteSize.Format(free)} free", "make room, or lower --spill-limit");
            else
                findings.Ok(Name, $"{path} can be written, {ByteSize.Format(free)} free");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            findings.Fail(Name, $"--data: {e.Message}", "name a folder that this user may write to");
        }
    }

    /// <summary>A secret that every user of the machine may read is none. Kubernetes mounts secrets that way, into a file system
    /// that only the container sees.</summary>
    void Privacy(string check, string path)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (OperatingSystem.IsWindows() || Directory.Exists(Path.Combine(folder, "..data")))
            return;
        if ((File.GetUnixFileMode(path) & (UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite)) != 0)
            findings.Warn(check, $"{path} can be read or written by others on this machine", $"chmod 600 {path}");
    }
}
