System.Console.Error.WriteLine("hearth: no verbs yet");
return 2;
