namespace Hearth.Text;

/// <summary>Every bound of this project, in one place.</summary>
static class Limits
{
    /// <summary>What a tokenizer's files may ask for, and what encoding and decoding hold at most.</summary>
    internal static class Tokenizer
    {
        /// <summary>Largest tokenizer.json read; the largest in use (262,144 tokens) has about 33 MB.</summary>
        internal const long FileBytesMax = 100L << 20;
        internal const int JsonDepthMax = 64;

        /// <summary>Highest token id plus one; tables are as long as the highest id says.</summary>
        internal const int TokensMax = 1 << 21;
        internal const int MergesMax = 1 << 21;
        internal const int AddedTokensMax = 1 << 17;
        internal const int TokenCharactersMax = 4096;

        /// <summary>Longest piece of a tokenizer.model, whose merges are found by trying every way to cut it.</summary>
        internal const int PieceCharactersMax = 512;
        internal const int PaddedLengthMax = 1 << 20;
        internal const int StepsMax = 32;
        internal const int StepDepthMax = 8;
        internal const int PatternCharactersMax = 4096;

        /// <summary>Largest compiled table of replacements, in base64; those in use have about 400,000 characters.</summary>
        internal const int CharsmapCharactersMax = 8 << 20;

        /// <summary>How long a text may become when a file's steps rewrite it.</summary>
        internal const int NormalizedCharactersMax = 1 << 24;

        /// <summary>The longest that one match of a pattern from a file may take before the text is refused.</summary>
        internal static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(1);

        /// <summary>Slots of the cache from a piece of text to its ids, and the longest piece it keeps.</summary>
        internal const int CacheSlots = 1 << 15;
        internal const int CachedPieceCharactersMax = 64;

        /// <summary>
        /// Byte tokens held back while their run may still turn out not to be UTF-8: past this many, whole characters go out.
        /// </summary>
        internal const int HeldBytesMax = 64;
    }

    /// <summary>Stop strings of one request.</summary>
    internal static class Stop
    {
        internal const int StringsMax = 64;
        internal const int CharactersMax = 1024;
    }
}
