@main struct Lockjaw { static func main() {} }
