const messages = (count: number): string => (count === 1 ? "1 message" : `${count} messages`);

export const chat = {
  title: (name: string) => (name === "lobby" ? "Lobby" : name),
  list: "Messages",
  label: "Message",
  button: "Send",
  empty:
    "Nobody has said anything yet.\nSay hello, or open this page in a second window under another name and talk to yourself. Kill a process in between: nothing is lost.",
  loading: "Loading the messages …",
  failedToLoad: (reason: string) => `The messages could not be loaded: ${reason}. The page keeps trying.`,
  closed: (reason: string) => `This room is closed to you: ${reason}.`,
  join: "Join this room",
  joinFailed: (reason: string) => `You could not join: ${reason}.`,
  unreadable: "A message that this page does not understand. A newer version may.",
  newest: "Go to the newest messages",
  unread: "New",
  edited: "edited",
  deleted: "This message was taken back.",
  inReply: (user: string, text: string) => `${user}: ${text}`,
  mentionsYou: "mentions you",
  number: (id: string) => `#${id}`,

  status: {
    label: "Room",
    loading: "Loading …",
    caughtUp: (count: number) => (count === 0 ? "Connected again, nothing was missed" : `Connected again, ${messages(count)} caught up`),
    reloaded: "Connected again, everything was loaded anew",
    reconnecting: "Catching up as soon as the connection is back …",
  },

  outbox: {
    label: "Not sent yet",
    waiting: "waits to be sent",
    sending: "sending …",
    saving: "saving …",
    again: (reason: string) => `No answer yet (${reason}). The page tries again until there is one; it is sent once.`,
    refused: (reason: string) => `Not sent: ${reason}.`,
    refusedEdit: (reason: string) => `Your change was not taken: ${reason}.`,
    sendAgain: "Send again",
    sendAgainNamed: (number: number) => `Send again, unsent message ${number}`,
    discard: "Discard",
    discardNamed: (number: number) => `Discard unsent message ${number}`,
    discardChange: (id: string) => `Discard the change of message ${id}`,
    retryChange: (id: string) => `Send again, the change of message ${id}`,
    full: "So many messages wait already that this one stays here until some are sent.",
    away: "There is no connection. What you write waits here, and is sent once when it is back.",
    count: (count: number) => `${messages(count)} ${count === 1 ? "waits" : "wait"} to be sent.`,
    notKept: "This browser keeps nothing: what waits is lost if the page is closed.",
    tooLong: (length: number, most: number) =>
      `A message has at most ${most.toLocaleString("en")} characters, this one has ${length.toLocaleString("en")}.`,
  },

  actions: {
    reply: "Reply",
    replyNamed: (id: string) => `Reply to message ${id}`,
    edit: "Edit",
    editNamed: (id: string) => `Edit message ${id}`,
    takeBack: "Take back",
    takeBackNamed: (id: string) => `Take back message ${id}`,
    answers: (count: number) => (count === 1 ? "1 answer" : `${count} answers`),
    answersNamed: (count: number, id: string) => `${count === 1 ? "1 answer" : `${count} answers`} to message ${id}`,
    editLabel: (id: string) => `New text of message ${id}`,
    save: "Save",
    cancel: "Cancel",
  },

  typing: (names: readonly string[]) =>
    names.length === 0
      ? ""
      : names.length === 1
        ? `${names[0]} is typing …`
        : names.length === 2
          ? `${names[0]} and ${names[1]} are typing …`
          : `${names.length} people are typing …`,

  people: {
    title: "People here",
    open: "People",
    close: "Close people",
    unknown: "Nobody knows right now who is here.",
    invite: "Name of whom to invite",
    inviteButton: "Invite",
    invited: (name: string) => `${name} is invited, and finds this room among the rooms.`,
    inviteFailed: (reason: string) => `Nobody was invited: ${reason}.`,
    leave: "Leave this room",
    leaveFailed: (reason: string) => `You are still here: ${reason}.`,
    you: "you",
  },

  rooms: {
    title: "Rooms",
    open: "Rooms",
    unknown: "Loading your rooms …",
    failed: (reason: string) => `Your rooms could not be loaded: ${reason}.`,
    named: (name: string) => `Room ${name}`,
    news: (unread: number, mentioned: boolean) =>
      [...(unread === 0 ? [] : [`${unread} unread`]), ...(mentioned ? ["you are mentioned"] : [])].join(", "),
    invitations: "Invitations",
    accept: (name: string) => `Join ${name}`,
    name: "Name of a new room",
    private: "By invitation only",
    create: "Create room",
    createFailed: (reason: string) => `The room was not made: ${reason}.`,
    noName: "A room needs a name.",
  },

  thread: {
    title: "Thread",
    list: "Thread messages",
    close: "Close thread",
    label: "Reply in the thread",
    button: "Send reply",
    loading: "Loading the thread …",
    failed: (reason: string) => `The thread could not be loaded: ${reason}. What is here already is shown.`,
  },

  search: {
    title: "Search",
    open: "Search",
    close: "Close search",
    label: "Words to find in this room",
    button: "Find",
    results: "Found messages",
    nothing: "Nothing was found. A new message is found after about a second.",
    failed: (reason: string) => `The search failed: ${reason}.`,
    searching: "Searching …",
  },

  mention: { label: "People to mention" },
} as const;
